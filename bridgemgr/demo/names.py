"""The names of the sample city: its districts are Hà Nội's own, its people and communes are invented."""

import unicodedata
from typing import NamedTuple

from bridgemgr.demo.dice import draw, shuffled


class District(NamedTuple):
    """A district: its rank (``q`` quận, ``h`` huyện, ``tx`` thị xã), name, and how many communes it has."""

    rank: str
    name: str
    communes: int


RANKS = {"q": "Quận", "h": "Huyện", "tx": "Thị xã"}

DISTRICTS = (
    District("q", "Ba Đình", 14),
    District("q", "Hoàn Kiếm", 18),
    District("q", "Tây Hồ", 8),
    District("q", "Long Biên", 14),
    District("q", "Cầu Giấy", 8),
    District("q", "Đống Đa", 21),
    District("q", "Hai Bà Trưng", 18),
    District("q", "Hoàng Mai", 14),
    District("q", "Thanh Xuân", 11),
    District("h", "Sóc Sơn", 26),
    District("h", "Đông Anh", 24),
    District("h", "Gia Lâm", 22),
    District("q", "Nam Từ Liêm", 10),
    District("h", "Thanh Trì", 16),
    District("q", "Bắc Từ Liêm", 13),
    District("h", "Mê Linh", 18),
    District("q", "Hà Đông", 17),
    District("tx", "Sơn Tây", 15),
    District("h", "Ba Vì", 31),
    District("h", "Phúc Thọ", 21),
    District("h", "Đan Phượng", 16),
    District("h", "Hoài Đức", 20),
    District("h", "Quốc Oai", 21),
    District("h", "Thạch Thất", 23),
    District("h", "Chương Mỹ", 32),
    District("h", "Thanh Oai", 21),
    District("h", "Thường Tín", 29),
    District("h", "Phú Xuyên", 27),
    District("h", "Ứng Hòa", 29),
    District("h", "Mỹ Đức", 22),
)

DEPARTMENTS = (
    *("Văn phòng Thành ủy", "Ban Tổ chức Thành ủy", "Ban Tuyên giáo Thành ủy", "Ban Dân vận Thành ủy"),
    *("Ban Nội chính Thành ủy", "Ủy ban Kiểm tra Thành ủy", "Văn phòng UBND", "Văn phòng HĐND"),
    *("Sở Nội vụ", "Sở Tài chính", "Sở Kế hoạch và Đầu tư", "Sở Công Thương", "Sở Xây dựng"),
    *("Sở Nông nghiệp và Phát triển nông thôn", "Sở Giao thông vận tải", "Sở Tài nguyên và Môi trường"),
    *("Sở Thông tin và Truyền thông", "Sở Lao động", "Sở Văn hóa và Thể thao", "Sở Du lịch", "Sở Y tế"),
    *("Sở Khoa học và Công nghệ", "Sở Giáo dục và Đào tạo", "Sở Tư pháp", "Sở Ngoại vụ"),
    *("Sở Quy hoạch - Kiến trúc", "Thanh tra Thành phố", "Ban Dân tộc", "Ban Quản lý các khu công nghiệp"),
    *("Ủy ban Mặt trận Tổ quốc", "Liên đoàn Lao động", "Thành đoàn", "Hội Liên hiệp Phụ nữ"),
    *("Hội Nông dân", "Hội Cựu chiến binh", "Công an Thành phố", "Bộ Tư lệnh Thủ đô", "Tòa án nhân dân"),
    *("Viện Kiểm sát nhân dân", "Cục Thi hành án dân sự", "Cục Thuế", "Cục Hải quan", "Cục Thống kê"),
    *("Cục Quản lý thị trường", "Kho bạc Nhà nước", "Ngân hàng Nhà nước", "Bảo hiểm xã hội"),
    *("Trường Đào tạo cán bộ", "Viện Nghiên cứu phát triển", "Báo Thành phố", "Đài Phát thanh Truyền hình"),
    *("Ban Quản lý dự án giao thông", "Ban Quản lý dự án dân dụng", "Ban Quản lý dự án cấp thoát nước"),
    *("Quỹ Đầu tư phát triển", "Liên minh Hợp tác xã", "Hội Chữ thập đỏ", "Liên hiệp các hội khoa học"),
    *("Trung tâm Xúc tiến đầu tư", "Đảng ủy Khối các cơ quan"),
)

_SURNAMES = (
    *("Nguyễn", "Trần", "Lê", "Phạm", "Hoàng", "Vũ", "Đặng", "Bùi", "Đỗ", "Ngô", "Dương", "Đinh", "Trịnh"),
    *("Phan", "Lương", "Tạ", "Kiều", "Đào", "Cao", "Mai"),
)
_MIDDLES = ("Văn", "Thị", "Minh", "Thu", "Quang", "Ngọc", "Đức", "Thanh", "Hữu", "Hồng", "Xuân", "Bích")
_GIVEN = (
    *("An", "Bình", "Chi", "Dũng", "Giang", "Hà", "Hải", "Hạnh", "Hiền", "Hòa", "Hùng", "Hương", "Khánh"),
    *("Lan", "Linh", "Long", "Mai", "Nam", "Nga", "Oanh", "Phúc", "Quân", "Quỳnh", "Sơn", "Tâm", "Thảo"),
    *("Thủy", "Toàn", "Trang", "Tuấn", "Uyên", "Vân", "Việt", "Yến"),
)
_FIRST = (
    *("An", "Bình", "Đại", "Đông", "Đồng", "Hòa", "Hồng", "Hưng", "Kim", "Liên", "Minh", "Ngọc", "Phú"),
    *("Phúc", "Phương", "Quang", "Sơn", "Tam", "Tân", "Thái", "Thanh", "Thượng", "Tiên", "Trung", "Vạn"),
    *("Văn", "Vân", "Vĩnh", "Xuân", "Yên"),
)
_SECOND = (
    *("An", "Bình", "Châu", "Cường", "Điền", "Đình", "Đồng", "Dương", "Giang", "Hà", "Hải", "Hòa", "Khê"),
    *("Lâm", "Lộc", "Mai", "Mỹ", "Nghĩa", "Phong", "Phú", "Sơn", "Tân", "Thành", "Thịnh", "Thủy", "Tiến"),
    *("Trì", "Trung", "Vinh", "Xá"),
)


def slug(name: str) -> str:
    """The name in lower-case ASCII with hyphens: ``Ủy ban Mặt trận`` becomes ``uy-ban-mat-tran``."""
    # Đ does not decompose into D and a mark, so NFD alone would drop it.
    plain = unicodedata.normalize("NFD", name.lower().replace("đ", "d"))
    letters = "".join(letter for letter in plain if letter.isascii())
    return "-".join("".join(letter if letter.isalnum() else " " for letter in letters).split())


def person(key: str) -> str:
    """An invented Vietnamese name that follows from ``key`` alone."""
    parts = ((_SURNAMES, "surname"), (_MIDDLES, "middle"), (_GIVEN, "given"))
    return " ".join(names[draw(f"{key}/{part}", 0, len(names) - 1)] for names, part in parts)


def commune_names(count: int) -> tuple[str, ...]:
    """``count`` invented names of two syllables, all different and none a district's."""
    taken = {district.name for district in DISTRICTS}
    pairs = (f"{first} {second}" for first in _FIRST for second in _SECOND if first != second)
    return shuffled((pair for pair in pairs if pair not in taken), "commune")[:count]


def commune_rank(district: District, number: int) -> str:
    """Phường, xã or thị trấn: wards in a quận, a ward or a village in a thị xã, one town to a huyện."""
    if district.rank == "q" or (district.rank == "tx" and number <= 9):
        return "Phường"
    return "Thị trấn" if district.rank == "h" and number == 1 else "Xã"
