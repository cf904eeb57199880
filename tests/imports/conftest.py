"""The cast: an office with its operator, another office, and files written on the spot."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bridgemgr.accounts.bulk import OfficeImport
from bridgemgr.attendance.rosters_bulk import RosterImport
from bridgemgr.conferences.bulk import ConferenceImport
from bridgemgr.db import Database
from bridgemgr.health.targets import parse_target
from bridgemgr.principal import Grant, Principal
from bridgemgr.registry.bulk import RegistryImport
from bridgemgr.tables import TABLES, Table, read_table
from tests.conftest import SettableClock

ADMIN = Principal("cli", "cli:root", (Grant("admin"),))
OPERATOR = Principal("user", "user:an", (Grant("operator", "vp"),))
OUTSIDER = Principal("user", "user:binh", (Grant("operator", "other"),))

TableOf = Callable[[str, str], Table]


@pytest.fixture
def table_of(tmp_path: Path) -> TableOf:
    """Write a CSV file named after its table, and open it."""

    def write(table: str, text: str) -> Table:
        path = tmp_path / f"{table}.csv"
        path.write_text(text, encoding="utf-8")
        return read_table(path, TABLES[table])

    return write


def canonical_target(text: str) -> str:
    return parse_target(text).text


@pytest.fixture
async def offices(database: Database, clock: SettableClock, table_of: TableOf) -> OfficeImport:
    """The use case, after two offices were made with it."""
    use_case = OfficeImport(database, clock)
    preview = await use_case.import_offices(ADMIN, table_of("offices", "code,name\nvp,Văn phòng\nother,Sở khác\n"))
    assert (preview.created, preview.written) == (2, True)
    return use_case


@pytest.fixture
def registry(database: Database, clock: SettableClock, offices: OfficeImport) -> RegistryImport:
    return RegistryImport(database, clock, canonical_target)


@pytest.fixture
def conferences(database: Database, clock: SettableClock, offices: OfficeImport) -> ConferenceImport:
    return ConferenceImport(database, clock)


@pytest.fixture
def rosters(database: Database, clock: SettableClock) -> RosterImport:
    return RosterImport(database, clock)


@pytest.fixture
async def hanoi(registry: RegistryImport, conferences: ConferenceImport, table_of: TableOf) -> None:
    """Sites x1 and x2 of the office vp; its conference hn1 with both as bridges; hn2 of the other office with x1."""
    sites = "code,name,area,contact,phone\nx1,Xã Một,hanoi/q01,Bà Một,0911 111 111\nx2,Xã Hai,hanoi/q02,,\n"
    await registry.import_sites(OPERATOR, table_of("sites", sites))
    rows = "hn1,vp,Họp,02/03/2026 08:00,02/03/2026 11:00,x1\nhn2,other,Họp,03/03/2026 08:00,03/03/2026 11:00,\n"
    await conferences.import_conferences(
        ADMIN, table_of("conferences", "code,office,title,starts_at,ends_at,main_site\n" + rows)
    )
    bridges = "conference,site,expected_delegates\nhn1,x1,10\nhn1,x2,3\nhn2,x1,5\n"
    await conferences.import_bridges(ADMIN, table_of("bridges", bridges))


async def all_rows(database: Database, query: str) -> list[tuple[Any, ...]]:
    async with database.acquire() as conn:
        return [tuple(row) for row in await conn.fetch(query)]
