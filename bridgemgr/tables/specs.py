"""The tables that bridgemgr reads: their columns, and the headers by which offices know them."""

from collections.abc import Mapping

from bridgemgr.tables.spec import Column, TableSpec
from bridgemgr.text import NOTE_LENGTH, fold

MOST_DELEGATES = 100_000  # on one bridge


def _choices(**values: str) -> Mapping[str, str]:
    """For each value its other names, separated by commas, and its own."""
    return {
        fold(name): value
        for value, names in values.items()
        for name in (value, value.replace("_", " "), *names.split(","))
        if name.strip()
    }


_CONFERENCE = Column("conference", "code", "code of the conference", ("mã hội nghị", "hội nghị"), required=True)
_SITE = Column("site", "code", "code of the site", ("mã điểm cầu", "điểm cầu", "mã điểm"), required=True)
_TIME_ZONE = Column("timezone", "zone", "IANA name, such as Asia/Ho_Chi_Minh", ("múi giờ", "time zone"))
_CONTACT_ALIASES = ("người liên hệ", "đầu mối", "cán bộ đầu mối", "người phụ trách", "cán bộ phụ trách", "liên hệ")
_PHONE_ALIASES = ("điện thoại", "số điện thoại", "SĐT", "số ĐT", "ĐT", "di động", "telephone", "mobile")
_CONTACT = Column("contact", "text", "who answers for the line", _CONTACT_ALIASES, empty="")
_PHONE = Column("phone", "phone", "telephone of the contact", _PHONE_ALIASES, empty="")

OFFICES = TableSpec(
    "offices",
    (
        Column("code", "code", "code of the office", ("mã", "mã cơ quan", "mã đơn vị", "mã văn phòng"), required=True),
        Column(
            "name",
            "text",
            "its name",
            ("tên", "tên cơ quan", "cơ quan", "tên đơn vị", "đơn vị", "tên văn phòng", "văn phòng"),
            required=True,
        ),
        _TIME_ZONE,
        Column("contact", "text", "whom a site calls for help", _CONTACT_ALIASES, empty=""),
        Column("phone", "phone", "telephone for that", _PHONE_ALIASES, empty=""),
    ),
)

AREAS = TableSpec(
    "areas",
    (
        Column("path", "path", "such as hanoi/ba-dinh", ("đường dẫn", "mã", "mã địa bàn", "mã khu vực"), required=True),
        Column("name", "text", "name of the last step", ("tên", "tên địa bàn", "tên khu vực"), required=True),
    ),
)

SITES = TableSpec(
    "sites",
    (
        Column("code", "code", "code of the site", ("mã", "mã điểm cầu", "mã điểm", "mã đơn vị"), required=True),
        Column("name", "text", "its name", ("tên", "tên điểm cầu", "tên điểm", "tên đơn vị"), required=True),
        Column("area", "path", "path of its area", ("địa bàn", "khu vực", "mã địa bàn", "mã khu vực")),
        Column("kind", "text", "kind of site", ("loại", "loại điểm cầu", "loại hình"), max_length=64),
        Column(
            "parent",
            "code",
            "code of the site that is its uplink",
            ("cấp trên", "mã cấp trên", "điểm cấp trên", "đơn vị cấp trên", "mã đơn vị cấp trên"),
        ),
        _TIME_ZONE,
        _CONTACT,
        _PHONE,
        Column("email", "email", "e-mail of the contact", ("thư điện tử", "hộp thư", "e-mail"), empty=""),
        Column("endpoints", "targets", "targets to probe, separated by spaces", ("thiết bị", "địa chỉ"), empty=()),
        Column("observable", "bool", "no: nothing there can be probed", ("dò được", "kiểm tra được")),
    ),
)

ENDPOINTS = TableSpec(
    "endpoints",
    (
        Column(
            "target",
            "text",
            "what is probed, such as sip:room@10.0.0.9",
            ("địa chỉ", "địa chỉ thiết bị", "thiết bị"),
            required=True,
            max_length=255,
        ),
        Column("site", "code", "code of its site; empty: of the core", ("mã điểm cầu", "điểm cầu", "mã điểm")),
        Column("fall", "int", "failures in a row until it is down", ("số lần hỏng",), minimum=1, maximum=100),
        Column("rise", "int", "successes in a row until it is up again", ("số lần tốt",), minimum=1, maximum=100),
        Column(
            "depends_on",
            "text",
            "the endpoint that it is behind: SITE TARGET, (core) TARGET, or TARGET of its own site or else of the core",
            ("phụ thuộc", "qua thiết bị", "sau thiết bị"),
            max_length=330,
        ),
    ),
)

CONFERENCES = TableSpec(
    "conferences",
    (
        Column("code", "code", "code of the conference", ("mã", "mã hội nghị"), required=True),
        Column(
            "office",
            "code",
            "code of the office that holds it",
            (
                "cơ quan", "đơn vị", "mã cơ quan", "mã đơn vị", "cơ quan chủ trì", "đơn vị chủ trì",
                "đơn vị quản lý", "văn phòng", "mã văn phòng",
            ),
            required=True,
        ),
        Column("title", "text", "its title", ("tiêu đề", "tên hội nghị", "tên", "hội nghị", "nội dung"), required=True),
        Column(
            "starts_at",
            "datetime",
            "when it starts",
            ("bắt đầu", "giờ bắt đầu", "thời gian bắt đầu"),
            required=True,
        ),
        Column(
            "ends_at",
            "datetime",
            "when it ends",
            ("kết thúc", "giờ kết thúc", "thời gian kết thúc"),
            required=True,
        ),
        Column("main_site", "code", "code of the main site", ("điểm cầu chính", "mã điểm cầu chính")),
        Column("quorum_ratio", "ratio", "delegates needed, 0 to 1", ("tỷ lệ đủ", "tỷ lệ đại biểu", "tỷ lệ")),
        Column("bridge_quorum_ratio", "ratio", "bridges needed, 0 to 1", ("tỷ lệ điểm cầu đủ", "tỷ lệ điểm cầu")),
        Column("co_offices", "codes", "offices that hold it too", ("cơ quan phối hợp", "đơn vị phối hợp"), empty=()),
        Column("kind", "text", "kind of conference", ("loại", "loại hội nghị"), max_length=64),
        Column("level", "text", "its level", ("cấp",), empty="", max_length=64),
        Column(
            "confidentiality",
            "choice",
            "open or confidential",
            ("độ mật", "mức độ mật"),
            choices=_choices(open="công khai,thường,không", confidential="mật,bí mật"),
        ),
        Column("host", "text", "another body whose conference it is", ("nơi chủ trì", "đơn vị mời"), empty=""),
    ),
)  # fmt: skip

BRIDGES = TableSpec(
    "bridges",
    (
        _CONFERENCE,
        _SITE,
        Column(
            "expected_delegates",
            "int",
            "delegates expected",
            (
                "số đại biểu dự kiến", "đại biểu dự kiến", "dự kiến", "số ĐB dự kiến", "số đại biểu", "số ĐB",
                "số lượng đại biểu", "số lượng", "số người", "expected",
            ),
            required=True,
            maximum=MOST_DELEGATES,
        ),
        Column("required", "bool", "whether it must join", ("bắt buộc",)),
        Column(
            "importance",
            "choice",
            "low, normal or high",
            ("mức quan trọng", "quan trọng", "ưu tiên"),
            choices=_choices(low="thấp", normal="thường,bình thường,trung bình", high="cao"),
        ),
        Column("names_kept", "bool", "no: headcounts only", ("lưu tên", "lưu họ tên", "lưu danh sách")),
    ),
)  # fmt: skip

DELEGATES = TableSpec(
    "delegates",
    (
        _CONFERENCE,
        _SITE,
        Column(
            "number",
            "int",
            "number within the bridge, from 1",
            ("số thứ tự", "STT", "TT", "no"),
            required=True,
            minimum=1,
            maximum=MOST_DELEGATES,
        ),
        Column("name", "text", "full name", ("họ và tên", "họ tên", "tên", "tên đại biểu", "đại biểu"), required=True),
        Column("title", "text", "office held", ("chức vụ", "chức danh"), empty=""),
    ),
)

CHECK_INS = TableSpec(
    "check-ins",
    (
        Column("event_id", "uuid", "UUID of the event", ("mã sự kiện",), required=True),
        _CONFERENCE,
        _SITE,
        Column(
            "kind",
            "choice",
            "what happened",
            ("loại", "sự kiện"),
            required=True,
            choices=_choices(
                ready="sẵn sàng",
                test="chạy thử,kiểm tra,kiểm tra đường truyền",
                headcount="điểm danh,số người,quân số",
                arrive="đến,có mặt",
                leave="về,rời,ra về",
                absent="vắng,vắng mặt",
                end="kết thúc",
                correct="sửa,đính chính",
                void="hủy,huỷ bỏ",
            ),
        ),
        Column("observed_at", "datetime", "when it was seen", ("thời điểm", "thời gian", "lúc"), required=True),
        Column("headcount", "int", "how many are present", ("số người", "số có mặt", "có mặt"), maximum=MOST_DELEGATES),
        Column(
            "delegate",
            "int",
            "number of the delegate on the roster",
            ("đại biểu", "số thứ tự", "STT"),
            minimum=1,
            maximum=MOST_DELEGATES,
        ),
        Column("note", "note", "free text", ("ghi chú",), max_length=NOTE_LENGTH),
        Column(
            "mode",
            "choice",
            "in person or online",
            ("hình thức",),
            choices=_choices(in_person="trực tiếp", online="trực tuyến"),
        ),
        Column("excused", "bool", "absent with leave", ("có phép", "vắng có phép")),
        Column("reason", "text", "why absent, or why corrected", ("lý do",)),
        Column("corrects", "uuid", "UUID of the event that it corrects or voids", ("đính chính", "sửa sự kiện")),
        Column("device", "text", "name of the device that sent it", ("thiết bị",)),
        Column("seq", "int", "running number of the device", ("số hiệu",), maximum=2**63 - 1),
        Column("picture", "bool", "line test: whether the picture works", ("hình", "hình ảnh")),
        Column("sound", "bool", "line test: whether the sound works", ("tiếng", "âm thanh")),
        Column("backup", "bool", "line test: whether the second line works", ("đường dự phòng", "dự phòng")),
    ),
)

# "Điểm cầu" or "đơn vị" alone heads the names in these lists: people do not keep codes.
SHEET = TableSpec(
    "sheet",
    (
        Column(
            "name",
            "text",
            "name of the site",
            (
                "tên điểm cầu", "điểm cầu", "tên đơn vị", "đơn vị", "tên điểm", "tên", "địa điểm",
                "site", "bridge", "site name",
            ),
            required=True,
        ),
        Column("contact", "text", "who answers for the line", (*_CONTACT_ALIASES, "họ và tên", "họ tên"), empty=""),
        _PHONE,
        Column(
            "expected",
            "int",
            "delegates expected",
            (
                "số ĐB dự kiến", "số đại biểu dự kiến", "đại biểu dự kiến", "ĐB dự kiến", "dự kiến", "số đại biểu",
                "số ĐB", "số lượng đại biểu", "số lượng", "số người", "expected delegates", "delegates",
            ),
            maximum=MOST_DELEGATES,
        ),
        Column("code", "code", "code of the site", ("mã", "mã điểm cầu", "mã điểm")),
    ),
    lenient=True,
)  # fmt: skip

TABLES: Mapping[str, TableSpec] = {
    spec.name: spec for spec in (OFFICES, AREAS, SITES, ENDPOINTS, CONFERENCES, BRIDGES, DELEGATES, CHECK_INS, SHEET)
}
