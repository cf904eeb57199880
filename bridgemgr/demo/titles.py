"""What the 45 past conferences were about, in the order in which they were held."""

from typing import Literal, NamedTuple

from bridgemgr.demo.model import ConferenceKind

Reach = Literal["departments", "districts", "some communes", "all communes"]


class Agenda(NamedTuple):
    """What a conference was held for.

    Attributes:
        office: who held it.
        co_offices: who held it jointly.
        reach: how far down the city it went.
        kind: the kind of conference.
        title: without the words that all of them begin with.
    """

    office: str
    co_offices: tuple[str, ...]
    reach: Reach
    kind: ConferenceKind
    title: str


_TU, _UB, _HD = "vptu", "ubnd", "hdnd"
_SO: Reach = "departments"
_QH: Reach = "districts"
_SOME: Reach = "some communes"
_ALL: Reach = "all communes"

AGENDAS = (
    Agenda(_TU, (), _ALL, "plenary", "quán triệt Nghị quyết về phát triển Thủ đô đến năm 2030"),
    Agenda(_UB, (), _QH, "briefing", "giao ban công tác quý III năm 2022"),
    Agenda(_UB, (), _SOME, "training", "tập huấn chuyển đổi số ở cơ sở"),
    Agenda(_HD, (), _SOME, "session", "tiếp xúc cử tri trước kỳ họp cuối năm 2022"),
    Agenda(_UB, (), _SO, "thematic", "chuyên đề giải ngân vốn đầu tư công cuối năm"),
    Agenda(_TU, (_UB,), _ALL, "plenary", "tổng kết công tác năm 2022, triển khai nhiệm vụ năm 2023"),
    Agenda(_UB, (), _QH, "briefing", "giao ban bảo đảm an toàn Tết Quý Mão"),
    Agenda(_TU, (), _SO, "thematic", "chuyên đề công tác cán bộ và tổ chức bộ máy"),
    Agenda(_UB, (), _SOME, "thematic", "chuyên đề vệ sinh môi trường và quản lý chất thải"),
    Agenda(_UB, (), _QH, "briefing", "giao ban công tác tháng 2 năm 2023"),
    Agenda(_TU, (), _ALL, "plenary", "học tập chuyên đề xây dựng văn hóa công vụ"),
    Agenda(_HD, (_UB,), _SO, "thematic", "giải trình về quy hoạch và trật tự xây dựng"),
    Agenda(_UB, (), _SOME, "training", "tập huấn định danh và xác thực điện tử"),
    Agenda(_UB, (), _QH, "thematic", "chuyên đề phòng cháy, chữa cháy khu dân cư"),
    Agenda(_UB, (_TU,), _ALL, "thematic", "triển khai công tác phòng, chống thiên tai năm 2023"),
    Agenda(_HD, (), _SOME, "session", "tiếp xúc cử tri trước kỳ họp giữa năm 2023"),
    Agenda(_UB, (), _SO, "briefing", "giao ban thu ngân sách năm tháng đầu năm 2023"),
    Agenda(_TU, (), _QH, "plenary", "sơ kết nửa nhiệm kỳ thực hiện Nghị quyết Đại hội"),
    Agenda(_UB, (), _SO, "training", "tập huấn an toàn thông tin cho cán bộ cơ yếu"),
    Agenda(_UB, (), _SOME, "thematic", "chuyên đề xây dựng nông thôn mới nâng cao"),
    Agenda(_TU, (_UB,), _SOME, "thematic", "chuyên đề giải phóng mặt bằng đường Vành đai"),
    Agenda(_UB, (), _QH, "briefing", "giao ban chuẩn bị năm học 2023-2024"),
    Agenda(_UB, (), _SOME, "thematic", "rà soát an toàn chung cư và nhà trọ nhiều tầng"),
    Agenda(_TU, (), _ALL, "plenary", "quán triệt Chỉ thị về kỷ cương, trách nhiệm công vụ"),
    Agenda(_UB, (), _QH, "briefing", "giao ban công tác tháng 9 năm 2023"),
    Agenda(_HD, (_TU,), _SO, "training", "bồi dưỡng kỹ năng giám sát cho đại biểu"),
    Agenda(_HD, (), _SOME, "session", "tiếp xúc cử tri trước kỳ họp cuối năm 2023"),
    Agenda(_UB, (), _SO, "thematic", "tháo gỡ khó khăn cho doanh nghiệp quý IV"),
    Agenda(_TU, (), _SO, "thematic", "chuyên đề kiểm tra, giám sát năm 2024"),
    Agenda(_UB, (), _SO, "thematic", "chuyên đề bình ổn thị trường dịp cuối năm"),
    Agenda(_UB, (), _QH, "briefing", "giao ban công tác mười một tháng năm 2023"),
    Agenda(_TU, (_UB,), _ALL, "plenary", "tổng kết công tác năm 2023, triển khai nhiệm vụ năm 2024"),
    Agenda(_UB, (), _QH, "thematic", "chuyên đề cải cách hành chính và chỉ số hài lòng"),
    Agenda(_UB, (), _SOME, "training", "tập huấn dịch vụ công một cửa ở phường, xã"),
    Agenda(_UB, (), _QH, "briefing", "giao ban bảo đảm an toàn Tết Giáp Thìn"),
    Agenda(_HD, (), _SO, "thematic", "giải trình về cấp nước sạch nông thôn"),
    Agenda(_TU, (), _ALL, "plenary", "quán triệt các kết luận về sắp xếp đơn vị hành chính"),
    Agenda(_UB, (_HD,), _SOME, "thematic", "lấy ý kiến về Luật Thủ đô sửa đổi"),
    Agenda(_UB, (), _SO, "briefing", "giao ban tiến độ đường sắt đô thị"),
    Agenda(_UB, (_TU,), _ALL, "thematic", "triển khai công tác phòng, chống thiên tai năm 2024"),
    Agenda(_UB, (), _QH, "thematic", "chuyên đề an toàn thực phẩm và y tế dự phòng"),
    Agenda(_HD, (), _SOME, "session", "tiếp xúc cử tri trước kỳ họp giữa năm 2024"),
    Agenda(_UB, (), _QH, "briefing", "giao ban chuẩn bị kỳ thi tốt nghiệp 2024"),
    Agenda(_TU, (), _SOME, "plenary", "sơ kết ba năm thực hiện chương trình công tác"),
    Agenda(_UB, (), _QH, "briefing", "giao ban công tác sáu tháng đầu năm 2024"),
)
