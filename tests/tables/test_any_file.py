"""Whatever the file holds, reading it ends in values or in an error for the reader, never in a crash."""

import random
from datetime import UTC
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridgemgr.errors import Invalid, TooLarge
from bridgemgr.tables import TABLES, read_table
from bridgemgr.tables.spec import TableSpec
from tests.tables.files import workbook

HANOI = ZoneInfo("Asia/Ho_Chi_Minh")


def read(path: Path, spec: TableSpec) -> list[tuple[object, ...]]:
    """All good rows; every time in UTC."""
    table = read_table(path, spec, zone=HANOI)
    rows = [row for _, row in table.rows()]
    for row in rows:
        assert len(row) == len(spec.columns)
        for column, value in zip(spec.columns, row, strict=True):
            assert value is not None or not column.required
            assert column.kind != "datetime" or value is None or value.tzinfo is UTC
    assert all(problem.where.startswith(path.name) for problem in table.problems.kept)
    return rows


@given(content=st.binary(max_size=200), spec=st.sampled_from(list(TABLES.values())))
def test_any_bytes(tmp_path_factory: pytest.TempPathFactory, content: bytes, spec: TableSpec) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(content)
    with pytest.raises((Invalid, TooLarge)):
        read(path, spec)


CELL = st.one_of(
    st.text(st.characters(codec="utf-8"), max_size=12),
    st.sampled_from(
        ["HN-1", "41", "05/06/2026 07:30", "99/99/2026", "0.5", "a@b.vn", "Tổng cộng", "I", "0912 000 118"]
    ),
)


@given(data=st.data(), spec=st.sampled_from(list(TABLES.values())))
def test_any_cells_below_a_good_header(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, spec: TableSpec
) -> None:
    width = len(spec.columns)
    rows = data.draw(st.lists(st.lists(CELL, min_size=width - 1, max_size=width + 1), max_size=5))
    path = tmp_path_factory.getbasetemp() / "cells.csv"
    path.write_text("\n".join([",".join(spec.names), *map(",".join, rows)]), encoding="utf-8", newline="")
    try:
        read(path, spec)
    except Invalid:
        return


NUMBER = st.floats(-1e18, 1e18, allow_nan=False)


@settings(max_examples=40, deadline=None)
@given(data=st.data(), spec=st.sampled_from(list(TABLES.values())))
def test_any_cells_of_a_workbook(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, spec: TableSpec
) -> None:
    width = len(spec.columns)
    cell = st.one_of(CELL, NUMBER, st.booleans(), st.dates(), st.datetimes(), st.none())
    rows = data.draw(st.lists(st.lists(cell, min_size=width, max_size=width), max_size=5))
    read(workbook(tmp_path_factory.getbasetemp(), [spec.names, *rows], "cells.xlsx"), spec)


def test_damaged_workbooks(tmp_path: Path) -> None:
    rows = [["Tên điểm cầu", "SĐT"], *([f"Xã {number}", "0912 000 118"] for number in range(20))]
    whole = workbook(tmp_path, rows).read_bytes()
    path = tmp_path / "damaged.xlsx"
    chance = random.Random(20260605)
    refused = 0
    for _ in range(300):
        content = bytearray(whole)
        for _ in range(chance.randint(1, 8)):
            content[chance.randrange(len(content))] = chance.randrange(256)
        path.write_bytes(content)
        try:
            read(path, TABLES["sheet"])
        except (Invalid, TooLarge):
            refused += 1
    assert refused > 100
