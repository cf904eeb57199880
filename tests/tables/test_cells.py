"""What each kind of cell becomes, and the words for what is none."""

from uuid import UUID

import pytest

from bridgemgr.tables import TABLES, Column
from bridgemgr.tables.cells import read_cell, read_texts
from bridgemgr.tables.spec import Kind, TableSpec
from bridgemgr.text import Unfit

CHECK_INS = TABLES["check-ins"].by_header
KIND = CHECK_INS["kind"]


def column(kind: Kind) -> Column:
    return Column("c", kind, "", maximum=1000)


@pytest.mark.parametrize(
    ("kind", "cell", "value"),
    [
        ("int", " 41 ", 41),
        ("int", 41.0, 41),
        ("int", "41.0", 41),
        ("ratio", "0,5", 0.5),
        ("ratio", "50%", 0.5),
        ("ratio", "66,7 %", 0.667),
        ("ratio", "2/3", 2 / 3),
        ("ratio", 0.75, 0.75),
        ("ratio", "1", 1.0),
        ("bool", "Có", True),
        ("bool", "x", True),
        ("bool", 1.0, True),
        ("bool", "KHÔNG", False),
        ("bool", False, False),
        ("codes", "so-yt, so-gd;ubnd", ("so-yt", "so-gd", "ubnd")),
        ("targets", " icmp://10.0.0.1  sip:a@10.0.0.2 ", ("icmp://10.0.0.1", "sip:a@10.0.0.2")),
        ("path", "hanoi/ba-dinh", "hanoi/ba-dinh"),
        ("zone", "Asia/Karachi", "Asia/Karachi"),
        ("code", 12.0, "12"),
        ("phone", "'+84 24 3825", "+84 24 3825"),
        ("phone", 912000118.0, "0912000118"),
        ("phone", 2438255599.0, "02438255599"),
        ("phone", 84912000118.0, "84912000118"),
        ("phone", 113.0, "113"),
        ("uuid", "{0190F1D2-7C3B-7A51-9D53-3F0C6B1B7E11}", UUID("0190f1d2-7c3b-7a51-9d53-3f0c6b1b7e11")),
        ("note", " a\r\nb ", "a\nb"),
        ("text", True, "true"),
        ("text", 1.5, "1.5"),
        ("email", " a@hanoi.gov.vn", "a@hanoi.gov.vn"),
        ("text", "  ", None),
    ],
)
def test_what_cells_become(kind: Kind, cell: str | float | bool, value: object) -> None:
    found = read_cell(column(kind), cell)
    assert (found, type(found)) == (value, type(value))
    if isinstance(cell, str):
        quick = read_texts(column(kind), [cell])
        assert quick is None or list(quick) == [value]


@pytest.mark.parametrize(
    ("kind", "cell", "reason"),
    [
        ("int", "1.200", "is no whole number: write digits only, from 0 to 1000"),
        ("int", "٤١", "is no whole number"),
        ("int", 41.5, "is no whole number"),
        ("int", "-1", "is -1, which is not from 0 to 1000"),
        ("int", "1001", "is 1001, which is not from 0 to 1000"),
        ("ratio", "50", "is more than 1: write a ratio from 0 to 1, or a percentage with its %"),
        ("ratio", "150%", "is more than 1"),
        ("ratio", "2/0", "is no ratio: write 0.5, 50% or 2/3"),
        ("ratio", "-0.5", "is no ratio"),
        ("ratio", float("nan"), "is no ratio"),
        ("bool", "có thể", "is neither yes nor no"),
        ("codes", "a, điểm", "is no code"),
        ("path", "Hà Nội", "is no area path"),
        ("zone", "Asia/Hanoi", "is no time zone: write an IANA name such as Asia/Ho_Chi_Minh"),
        ("zone", "../../etc/passwd", "is no time zone"),
        ("zone", "Asia", "is no time zone"),
        ("zone", "x" * 300, "is no time zone"),
        ("uuid", "0190f1d2", "is no UUID"),
        ("phone", "gọi sau", "is no telephone number"),
        ("email", "a@b", "is no e-mail address"),
        ("targets", "icmp://a\u202eb", "contains U+202E"),
        ("text", "x" * 201, "is 201 characters long; at most 200 are allowed"),
        ("text", "a\x00b", "contains U+0000 (NUL)"),
    ],
)
def test_what_cells_may_not_hold(kind: Kind, cell: str | float, reason: str) -> None:
    with pytest.raises(Unfit) as caught:
        read_cell(column(kind), cell)
    assert str(caught.value).startswith(reason)
    if isinstance(cell, str):
        assert read_texts(column(kind), [cell]) is None


@pytest.mark.parametrize(
    ("written", "value"),
    [("arrive", "arrive"), ("Có mặt", "arrive"), ("VẮNG", "absent"), ("điểm danh", "headcount"), ("hủy", "void")],
)
def test_choices_in_both_languages(written: str, value: str) -> None:
    assert read_cell(KIND, written) == value


def test_a_choice_that_is_none_lists_what_is() -> None:
    with pytest.raises(Unfit) as caught:
        read_cell(KIND, "late")
    assert str(caught.value) == "is none of ready, test, headcount, arrive, leave, absent, end, correct, void"
    assert read_cell(CHECK_INS["mode"], "in person") == read_cell(CHECK_INS["mode"], "Trực tiếp") == "in_person"


@pytest.mark.parametrize("spec", TABLES.values(), ids=TABLES)
def test_an_empty_cell_is_the_empty_value_or_refused(spec: TableSpec) -> None:
    for one in spec.columns:
        if one.required:
            with pytest.raises(Unfit, match=r"^is empty$"):
                read_cell(one, " ")
        else:
            assert read_cell(one, " ") == one.empty
