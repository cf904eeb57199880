"""Importing delegates by name against a bare \\copy of the same file into a table with the same key.

419,949 delegates of 10,306 bridges of 45 conferences, 24 MB. Both are measured in turns, so that a noisy
machine hits both alike; the command is measured whole, from its start to its exit.

BRIDGEMGR_DATABASE_DSN names the server; a database ``bridgemgr_bench_import`` is made there and dropped.
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
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from bridgemgr.db.migrate import migrate
from bridgemgr.db.pool import Database

CONFERENCES, BRIDGES, DELEGATES = 45, 10_306, 419_949
AIM = 0.4  # of the speed of the bare copy
_NAME = "bridgemgr_bench_import"
_FAMILY = ["Nguyễn", "Trần", "Lê", "Phạm", "Hoàng", "Phan", "Vũ", "Đặng", "Bùi", "Đỗ", "Hồ", "Ngô", "Dương", "Lý"]
_MIDDLE = ["Văn", "Thị", "Hữu", "Đức", "Minh", "Quốc", "Thanh", "Ngọc", "Xuân", "Thu"]
_GIVEN = [
    "An",
    "Bình",
    "Châu",
    "Dũng",
    "Giang",
    "Hà",
    "Hải",
    "Hạnh",
    "Hiếu",
    "Hòa",
    "Hùng",
    "Hương",
    "Khánh",
    "Lan",
    "Linh",
    "Long",
    "Mai",
    "Nam",
    "Phong",
    "Quân",
    "Vinh",
]
_TITLES = ["Chủ tịch", "Phó Chủ tịch thường trực", "Trưởng phòng", "Chuyên viên", ""]
_BARE = (
    "CREATE TABLE bare (conference text, site text, number int, name text, title text,"
    " PRIMARY KEY (conference, site, number))"
)
_SETTING = f"""
INSERT INTO offices (code, name, name_sort, time_zone) VALUES ('vp', 'VP', '', 'Asia/Ho_Chi_Minh');
INSERT INTO sites (code, name, name_fold, name_sort)
    SELECT format('xa-phuong-%s', lpad(n::text, 3, '0')), 'x', 'x', '' FROM generate_series(1, 230) AS n;
INSERT INTO conferences (code, office_id, title, starts_at, ends_at)
    SELECT format('hn-2024-%s', lpad(n::text, 2, '0')), o.id, 'x', now(), now() + interval '1h'
    FROM offices o, generate_series(1, {CONFERENCES}) AS n;
INSERT INTO bridges (conference_id, site_id, expected_delegates)
    SELECT c.id, s.id, 41 FROM conferences c, sites s ORDER BY 1, 2 LIMIT {BRIDGES};
"""


def write_file(path: Path) -> None:
    """Write the delegates, the same ones each time."""
    dice = random.Random(7)
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(("conference", "site", "number", "name", "title"))
        for bridge in range(BRIDGES):
            conference, site = divmod(bridge, 230)
            for number in range(1, DELEGATES // BRIDGES + (bridge < DELEGATES % BRIDGES) + 1):
                name = f"{dice.choice(_FAMILY)} {dice.choice(_MIDDLE)} {dice.choice(_GIVEN)}"
                place = f"hn-2024-{conference + 1:02}", f"xa-phuong-{site + 1:03}"
                table.writerow((*place, number, name, dice.choice(_TITLES)))


async def bare(dsn: str, path: Path) -> float:
    """Seconds of a bare COPY."""
    conn = await asyncpg.connect(dsn)
    await conn.execute("DROP TABLE IF EXISTS bare")
    await conn.execute(_BARE)
    started = time.perf_counter()
    await conn.copy_to_table("bare", source=path, format="csv", header=True, null="\\N")
    seconds = time.perf_counter() - started
    await conn.close()
    return seconds


async def ours(dsn: str, path: Path) -> float:
    """Seconds of the command."""
    conn = await asyncpg.connect(dsn)
    await conn.execute("TRUNCATE delegates")
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "bridgemgr", "import", "delegates", path],
        env={**os.environ, "BRIDGEMGR_DATABASE_DSN": dsn},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    seconds = time.perf_counter() - started
    assert await conn.fetchval("SELECT count(*) FROM delegates") == DELEGATES
    await conn.close()
    return seconds


async def measure(dsn: str, rounds: int, path: Path) -> list[tuple[float, float]]:
    """Seconds bare and ours, in turns."""
    database = await Database.open({"dsn": dsn})
    await migrate(database)
    async with database.transaction() as conn:
        await conn.execute(_SETTING)
    await database.close()
    return [(await bare(dsn, path), await ours(dsn, path)) for _ in range(rounds)]


async def in_scratch(dsn: str, rounds: int, path: Path) -> list[tuple[float, float]]:
    """As ``measure``, in a database of its own."""
    server = await asyncpg.connect(dsn)
    await server.execute(f"DROP DATABASE IF EXISTS {_NAME} WITH (FORCE)")
    await server.execute(f"CREATE DATABASE {_NAME} ENCODING 'UTF8' TEMPLATE template0")
    try:
        return await measure(urlunsplit(urlsplit(dsn)._replace(path=f"/{_NAME}")), rounds, path)
    finally:
        await server.execute(f"DROP DATABASE {_NAME} WITH (FORCE)")
        await server.close()


def main() -> None:
    """Measure and print the seconds and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bridgemgr-bench-") as folder:
        path = Path(folder) / "delegates.csv"
        write_file(path)
        found = asyncio.run(in_scratch(os.environ["BRIDGEMGR_DATABASE_DSN"], arguments.rounds, path))
        size = path.stat().st_size / 1e6
    least, taken = (statistics.median(column) for column in zip(*found, strict=True))
    print(
        f"{DELEGATES:,} delegates, {size:.0f} MB: bare copy {least:.2f} s, bridgemgr import {taken:.2f} s;"
        f" {least / taken:.2f} of its speed (aim {AIM})"
    )


if __name__ == "__main__":
    main()
