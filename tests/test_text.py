"""Rules for text: what is refused and why, search keys, Vietnamese order, codes, the types of API models."""

import itertools
import random
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from bridgemgr import text
from bridgemgr.errors import Invalid

# Sorted by ICU 77.1 (Unicode 16, CLDR 47) with the collator of the locale vi-u-kn-true.
ICU_ORDER = """
2 tháng 9|10 tháng 3|Ba Đình|Ba Vì|Bà Vì|Bả Vì|Bã Vì|Bá Vì|Bạ Vì|Bắc Từ Liêm|Cầu Giấy|Chương Mỹ|Dân Hòa|
Dương Nội|Đan Phượng|điểm cầu số 3|Điểm cầu số 3|Điểm cầu số 12|Điểm-cầu|Đông Anh|Đống Đa|Fansipan|Gia Lâm|
Hà Đông|Hai Bà Trưng|Hoài Đức|Hoàn Kiếm|Hoàng Mai|Jrai|Long Biên|Mê Linh|Mỹ Đức|Nam Từ Liêm|On|Ô Chợ Dừa|Ơn|
Phú Xuyên|Phúc Thọ|Phường 1|Phường 2|phường 10|Phường 10|Phường 10A|Phường Phúc Xá|Phường Trúc Bạch|
Phường Vĩnh Phúc|Quốc Oai|Sóc Sơn|Sở Y tế|Sở Y tế (cơ sở 2)|Sở Y tế, cơ sở 1|Sơn Tây|Tây Hồ|Thạch Thất|
Thanh Trì|Thanh Xuân|Thường Tín|UBND xã Ỷ La|UBND xã Y Tý|UBND xã Yên Bài|Ưng Hòa|Ứng Hòa|Wifi|Xã an|Xã An|
Xã An Khánh|Xã Ăn|Xã Ân|Xã Ấn|Zone 1|Ωmega|اسلام آباد|北京
""".replace("\n", "").split("|")

# The same collator over every Vietnamese letter with every tone, small and capital.
ICU_LETTERS = (
    "aAàÀảẢãÃáÁạẠăĂằẰẳẲẵẴắẮặẶâÂầẦẩẨẫẪấẤậẬbBcCdDđĐeEèÈẻẺẽẼéÉẹẸêÊềỀểỂễỄếẾệỆgGhHiIìÌỉỈĩĨíÍịỊkKlLmMnNoOòÒỏỎõÕóÓọỌ"
    "ôÔồỒổỔỗỖốỐộỘơƠờỜởỞỡỠớỚợỢpPqQrRsStTuUùÙủỦũŨúÚụỤưƯừỪửỬữỮứỨựỰvVxXyYỳỲỷỶỹỸýÝỵỴ"
)


def clean(value: str, **options: object) -> str:
    return text.clean(value, field="name", max_length=200, **options)


def test_cleaning_composes_and_strips() -> None:
    assert (
        clean("  " + unicodedata.normalize("NFD", "Ủy ban nhân dân Đống Đa") + "\u00a0\n") == "Ủy ban nhân dân Đống Đa"
    )


@pytest.mark.parametrize(
    "kept",
    ["می\u200cخواہم", "a\u200db", "\u200fکراچی\u200e 12", "Ba\u00a0Vì", "Trần – Lê", "北京", "🏛"],
    ids=ascii,
)
def test_text_that_languages_need_is_kept(kept: str) -> None:
    assert clean(kept) == kept


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("a\x00b", "U+0000 (NUL)"),
        ("a\x07b", "U+0007 (a control character)"),
        ("a\x9fb", "U+009F (a control character)"),
        ("a\tb", "U+0009 (a tab)"),
        ("a\nb", "U+000A (a line break)"),
        ("a\u2028b", "U+2028 (a line break)"),
        ("a\u202eb", "U+202E (right-to-left override)"),
        ("a\u2066b", "U+2066 (left-to-right isolate)"),
        ("a\ud800b", "U+D800 (half of a character, a lone surrogate)"),
        ("a\ufdd0b", "U+FDD0 (not a character)"),
        ("a\U0010ffffb", "U+10FFFF (not a character)"),
        ("a\ufeffb", "U+FEFF (a byte order mark)"),
    ],
)
def test_refused_characters_are_named(bad: str, reason: str) -> None:
    with pytest.raises(Invalid) as caught:
        clean(bad)
    assert caught.value.message == f"name contains {reason}, which is not allowed here: delete it."


def test_length_counts_after_cleaning() -> None:
    assert clean("  " + "ệ" * 200 + "  ") == "ệ" * 200
    assert clean(unicodedata.normalize("NFD", "ệ" * 200)) == "ệ" * 200
    with pytest.raises(Invalid, match=r"^name is 201 characters long; at most 200 are allowed\.$"):
        clean("a" * 201)
    with pytest.raises(Invalid, match=r"^name is empty\.$"):
        clean(" \t ", required=True)


def test_notes_keep_their_lines_and_lose_carriage_returns() -> None:
    assert clean("một\r\nhai\rba\n\tbốn\r\n", multiline=True) == "một\nhai\nba\n\tbốn"
    with pytest.raises(Invalid, match=r"U\+000B"):
        clean("a\x0bb", multiline=True)


@given(st.text(st.characters(), max_size=40), st.booleans())
def test_cleaning_either_refuses_or_gives_what_it_would_keep(value: str, multiline: bool) -> None:
    try:
        cleaned = clean(value, multiline=multiline)
    except Invalid:
        return
    assert clean(cleaned, multiline=multiline) == cleaned
    cleaned.encode()


@given(st.lists(st.text(st.characters(), max_size=10), max_size=6))
def test_a_plain_chunk_holds_only_cells_that_cleaning_keeps(cells: list[str]) -> None:
    if text.is_plain(" ".join(cells)):
        assert [clean(cell) for cell in cells] == [cell.strip() for cell in cells]


@pytest.mark.parametrize(
    ("value", "key"),
    [
        ("Ba Vì", "ba vi"),
        ("  ĐIỂM   CẦU\u00a0Số 12 ", "diem cau so 12"),
        (unicodedata.normalize("NFD", "Nguyễn Thị Hường"), "nguyen thi huong"),
        ("Hoà Bình", "hoa binh"),
        ("Hòa Bình", "hoa binh"),
        ("STRASSE Straße", "strasse strasse"),
        ("ＡＢＣ１２", "abc12"),
        ("اُردُو", "اردو"),
        ("آئندہ", "آئندہ"),
        ("كراچي ۱۲", "کراچی 12"),
        ("می\u200cخواہم", "میخواہم"),
        ("", ""),
    ],
)
def test_folding(value: str, key: str) -> None:
    assert text.fold(value) == key


@given(st.text(st.characters(), max_size=30))
def test_folding_twice_changes_nothing(value: str) -> None:
    assert text.fold(text.fold(value)) == text.fold(value)


@pytest.mark.parametrize("seed", range(5))
def test_names_sort_as_icu_sorts_them(seed: int) -> None:
    shuffled = random.Random(seed).sample(ICU_ORDER, len(ICU_ORDER))
    assert sorted(shuffled, key=text.sort_key) == ICU_ORDER
    assert sorted(reversed(ICU_LETTERS), key=text.sort_key) == list(ICU_LETTERS)


def test_no_two_of_these_names_share_a_key() -> None:
    keys = [text.sort_key(name) for name in ICU_ORDER]
    assert all(before < after for before, after in itertools.pairwise(keys))


def test_normal_forms_and_invisible_characters_do_not_change_the_order() -> None:
    assert text.sort_key(unicodedata.normalize("NFD", "Ứng Hòa")) == text.sort_key("Ứng Hòa")
    assert text.sort_key("Ba\u200d Vì") == text.sort_key("Ba Vì")
    assert text.sort_key("Xã 07") == text.sort_key("Xã 7") < text.sort_key("Xã 10") < text.sort_key("Xã 100")


@given(st.text(st.characters(), max_size=30), st.text(st.characters(), max_size=5))
def test_a_text_never_sorts_after_itself_continued(value: str, more: str) -> None:
    # A letter first, so that no digit or combining mark joins what stands before it.
    assert text.sort_key(value) < text.sort_key(value + "x" + more)


def test_codes() -> None:
    for good in ("HN-01", "a", "0", "x" * 64, "a.b_c-d"):
        assert text.check_code(good, "code") == good
    for bad in ("", "-a", ".a", "a b", "x" * 65, "điểm", "a/b", "a\n"):
        with pytest.raises(Invalid, match=r"^code is no code: use 1 to 64 of the letters"):
            text.check_code(bad, "code")


def test_area_paths() -> None:
    for good in ("hanoi", "hanoi/ba-dinh/x05", "/".join("a" * 8), "a" * 200):
        assert text.check_area_path(good, "area") == good
    for bad in ("", "/a", "a/", "a//b", "Hanoi", "hà-nội", "/".join("a" * 9), "a" * 201, "a\n"):
        with pytest.raises(Invalid, match=r"^area is no area path"):
            text.check_area_path(bad, "area")


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("Phường Phúc Xá, quận Ba Đình", "phuong-phuc-xa-quan-ba-dinh"),
        ("  (Sở) Y tế!  ", "so-y-te"),
        ("Ủy ban nhân dân phường Phúc Xá quận Ba Đình Hà Nội", "uy-ban-nhan-dan-phuong-phuc-xa-quan-ba-dinh-ha"),
        ("a" * 60, "a" * 48),
    ],
)
def test_slugs(name: str, code: str) -> None:
    assert text.slug(name) == code


def test_a_name_without_latin_letters_has_a_slug_of_its_own() -> None:
    assert text.slug("کراچی") == text.slug(" کَراچی ") == "x6bb4db8927"
    assert text.slug("لاہور") != text.slug("کراچی")


@given(st.text(st.characters(), max_size=80))
def test_a_slug_is_always_a_code(name: str) -> None:
    slug = text.slug(name)
    assert text.check_code(slug, "code") == slug
    assert len(slug) <= 48


class Form(BaseModel):
    code: text.Code = "c"
    area: text.AreaPath = "a"
    name: text.Name = "n"
    note: text.Note = ""
    phone: text.Phone = "113"
    email: text.Email = "a@b.vn"


def test_models_take_what_is_good_and_clean_it() -> None:
    form = Form(
        code="HN-01",
        area="hanoi/x05",
        name="  Ba Vì ",
        note="a\r\nb",
        phone=" (024) 3825-5599 ",
        email=" an@hanoi.gov.vn ",
    )
    assert (form.name, form.note, form.phone, form.email) == ("Ba Vì", "a\nb", "(024) 3825-5599", "an@hanoi.gov.vn")


def test_models_report_every_field_with_the_bare_reason() -> None:
    with pytest.raises(ValidationError) as caught:
        Form(code="-", area="A", name=" ", note="a\u202eb", phone="call me", email="an@")
    found = {error["loc"][0]: error["msg"] for error in caught.value.errors()}
    assert found["name"] == "is empty"
    assert found["note"] == "contains U+202E (right-to-left override), which is not allowed here: delete it"
    assert found["phone"].startswith("is no telephone number: ")
    assert found["email"] == "is no e-mail address: write one address like name@example.gov.vn"
    assert found["code"].startswith("is no code: ")
    assert found["area"].startswith("is no area path: ")


@pytest.mark.parametrize("bad", ["12", "0912", "()- ", "1" * 61, "0912 000 118 & 0913", "٠٩١٢", "máy lẻ 123456"])
def test_what_is_no_telephone_number(bad: str) -> None:
    with pytest.raises(ValidationError, match="is no telephone number"):
        Form(phone=bad)


@pytest.mark.parametrize(
    ("written", "first"),
    [
        ("0912 345 678 / 0987 654 321", "0912345678"),
        ("0912000017 - 0987000017", "0912000017"),
        ("0912000017-0987000017", "0912000017"),
        ("0912.345.678, 0987.654.321", "0912345678"),
        ("0912 345 678; 0987 654 321", "0912345678"),
        ("(024)3825.1234 máy lẻ 12", "02438251234"),
        ("024-3825-1234 ext. 12 / 0912 345 678", "02438251234"),
        ("024 3825 1234 x12", "02438251234"),
        ("024/3825 1234", "02438251234"),
        ("024 3825 1234/35", "02438251234"),
        ("(+84) 24 3825-5599", "+842438255599"),
        ("113", "113"),
    ],
)
def test_a_cell_may_hold_several_telephone_numbers(written: str, first: str) -> None:
    assert Form(phone=written).phone == written
    assert text.first_number(written) == first


def test_a_telephone_number_too_short_is_told_so() -> None:
    with pytest.raises(text.Unfit, match="4 digits are too few, at least 6"):
        text.fit_phone("0912")


@pytest.mark.parametrize("bad", ["", "a", "a@b", "@b.vn", "a@@b.vn", "a b@c.vn", "a@b.vn, c@d.vn", "a@b..vn"])
def test_what_is_no_email_address(bad: str) -> None:
    with pytest.raises(ValidationError, match="is no e-mail address"):
        Form(email=bad)


def test_the_schema_of_a_model_states_the_limits() -> None:
    properties = Form.model_json_schema()["properties"]
    assert properties["name"]["maxLength"] == 200
    assert properties["name"]["minLength"] == 1
    assert properties["code"]["pattern"] == "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
