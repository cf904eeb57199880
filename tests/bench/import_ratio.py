"""The commands that import delegates and bridges, against a bare \\copy of the same file.

419,949 delegates (24 MB) of 10,306 bridges of 45 conferences. The bare copy goes into a table of text with
the same key, on the same PostgreSQL, which is an embedded one in a temporary directory. The two are measured
in turns, so that a noisy machine hits both alike; a command is measured whole, from its start to its exit.
"""

import argparse
import asyncio
import csv
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import asyncpg

from bridgemgr.db.embedded import Embedded
from bridgemgr.db.migrate import migrate
from bridgemgr.db.pool import Database
from tests.bench import show

CONFERENCES, SITES, BRIDGES, DELEGATES = 45, 230, 10_306, 419_949
_FAMILY = ["Nguyễn", "Trần", "Lê", "Phạm", "Hoàng", "Phan", "Vũ", "Đặng", "Bùi", "Đỗ", "Hồ", "Ngô", "Dương", "Lý"]
_MIDDLE = ["Văn", "Thị", "Hữu", "Đức", "Minh", "Quốc", "Thanh", "Ngọc", "Xuân", "Thu"]
_GIVEN = ["An", "Bình", "Châu", "Dũng", "Giang", "Hà", "Hải", "Hạnh", "Hiếu", "Hòa", "Hùng", "Hương", "Khánh", "Lan"]
_TITLES = ["Chủ tịch", "Phó Chủ tịch thường trực", "Trưởng phòng", "Chuyên viên", ""]
_SETTING = f"""
INSERT INTO offices (code, name, name_sort, time_zone) VALUES ('vp', 'VP', '', 'Asia/Ho_Chi_Minh');
INSERT INTO sites (code, name, name_fold, name_sort)
    SELECT format('xa-phuong-%s', lpad(n::text, 3, '0')), 'x', 'x', '' FROM generate_series(1, {SITES}) AS n;
INSERT INTO conferences (code, office_id, title, starts_at, ends_at)
    SELECT format('hn-2024-%s', lpad(n::text, 2, '0')), o.id, 'x', now(), now() + interval '1h'
    FROM offices o, generate_series(1, {CONFERENCES}) AS n;
"""


@dataclass(frozen=True)
class Case:
    """A table that is imported.

    Attributes:
        columns: of the file and the bare table, with their types.
        key: the bare table's.
        rows: of the file.
        aim: of the speed of the bare copy.
    """

    table: str
    columns: dict[str, str]
    key: str
    rows: Iterable[tuple[object, ...]]
    count: int
    aim: float | None = None

    def write(self, path: Path) -> None:
        with path.open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file)
            table.writerow(self.columns)
            table.writerows(self.rows)


def _places() -> Iterator[tuple[str, str]]:
    for bridge in range(BRIDGES):
        conference, site = divmod(bridge, SITES)
        yield f"hn-2024-{conference + 1:02}", f"xa-phuong-{site + 1:03}"


def _bridges() -> Iterator[tuple[object, ...]]:
    return ((*place, 41) for place in _places())


def _delegates() -> Iterator[tuple[object, ...]]:
    """The same ones each time."""
    dice = random.Random(7)
    for bridge, place in enumerate(_places()):
        for number in range(1, DELEGATES // BRIDGES + (bridge < DELEGATES % BRIDGES) + 1):
            name = f"{dice.choice(_FAMILY)} {dice.choice(_MIDDLE)} {dice.choice(_GIVEN)}"
            yield *place, number, name, dice.choice(_TITLES)


CASES = [
    Case(
        "bridges",
        {"conference": "text", "site": "text", "expected_delegates": "int"},
        "conference, site",
        _bridges(),
        BRIDGES,
    ),
    Case(
        "delegates",
        {"conference": "text", "site": "text", "number": "int", "name": "text", "title": "text"},
        "conference, site, number",
        _delegates(),
        DELEGATES,
        aim=0.4,
    ),
]


async def bare(conn: asyncpg.Connection, case: Case, path: Path) -> float:
    """Seconds of a bare COPY."""
    columns = ", ".join(map(" ".join, case.columns.items()))
    await conn.execute(f"DROP TABLE IF EXISTS bare; CREATE TABLE bare ({columns}, PRIMARY KEY ({case.key}))")
    started = time.perf_counter()
    await conn.copy_to_table("bare", source=path, format="csv", header=True, null="\\N")
    return time.perf_counter() - started


async def ours(conn: asyncpg.Connection, case: Case, path: Path, dsn: str) -> float:
    """Seconds of the command."""
    await conn.execute(f"TRUNCATE {case.table} CASCADE")
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "bridgemgr", "import", case.table, path],
        env={**os.environ, "BRIDGEMGR_DATABASE_DSN": dsn},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    seconds = time.perf_counter() - started
    assert await conn.fetchval(f"SELECT count(*) FROM {case.table}") == case.count
    return seconds


async def measure(dsn: str, folder: Path, rounds: int) -> None:
    """Measure and print case by case; the delegates need the bridges."""
    database = await Database.open({"dsn": dsn})
    await migrate(database)
    async with database.transaction() as conn:
        await conn.execute(_SETTING)
    await database.close()
    conn = await asyncpg.connect(dsn)
    for case in CASES:
        path = folder / f"{case.table}.csv"
        case.write(path)
        found = [(await bare(conn, case, path), await ours(conn, case, path, dsn)) for _ in range(rounds)]
        least, taken = (statistics.median(column) for column in zip(*found, strict=True))
        ratio = statistics.median(one / other for one, other in found)
        show(f"bare copy of {case.count:,} {case.table}", least, "s")
        show(f"bridgemgr import {case.table}", taken, "s")
        show(f"bare copy / import of {case.table}", ratio, "ratio", at_least=case.aim)
    await conn.close()


async def run(folder: Path, rounds: int) -> None:
    """Measure on an embedded PostgreSQL of its own."""
    embedded = await Embedded.attach(folder / "data")
    at = embedded.address
    dsn = f"postgresql://{at.user}@/{at.database}?host={quote(at.host, safe='')}&port={at.port}"
    try:
        await measure(dsn, folder, rounds)
    finally:
        embedded.detach()
        await embedded.stopped()


def main() -> None:
    """Measure and print seconds and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bridgemgr-bench-") as folder:
        asyncio.run(run(Path(folder), arguments.rounds))


if __name__ == "__main__":
    main()
