import asyncio
from pathlib import Path

from bridgemgr.accounts.bulk import OfficeImport
from bridgemgr.db import Database
from bridgemgr.db.bulk import Change
from bridgemgr.registry.bulk import RegistryImport, in_circle
from bridgemgr.tables import TABLES, read_table
from tests.imports.conftest import ADMIN, OPERATOR, OUTSIDER, TableOf, all_rows

SITES = """code,name,area,kind,parent,timezone,contact,phone,email,endpoints
x2,Xã Hai,hanoi/q01/x02,commune,X1,,Bà Hai,0912 345 678,hai@example.vn,tcp://10.0.0.2:443 icmp://10.0.0.2
x1,Xã Một,hanoi/q01/x01,,,Asia/Tokyo,,,,
"""
STORED = (
    "SELECT s.code, s.name_fold, a.path, s.kind, p.code, s.time_zone, o.code, s.version, c.name,"
    " (SELECT string_agg(target, ' ' ORDER BY target) FROM endpoints WHERE site_id = s.id) FROM sites s"
    " LEFT JOIN areas a ON a.id = s.area_id LEFT JOIN sites p ON p.id = s.parent_id"
    " LEFT JOIN offices o ON o.id = s.office_id LEFT JOIN site_contacts c ON c.site_id = s.id ORDER BY s.code"
)


async def test_sites_come_in_with_parents_in_any_order(
    database: Database, registry: RegistryImport, table_of: TableOf
) -> None:
    preview = await registry.import_sites(OPERATOR, table_of("sites", SITES))
    assert (preview.created, preview.problem_count, preview.written) == (2, 0, True)
    assert await all_rows(database, STORED) == [
        ("x1", "xa mot", "hanoi/q01/x01", "site", None, "Asia/Tokyo", "vp", 1, None, None),
        (
            "x2", "xa hai", "hanoi/q01/x02", "commune", "x1", None, "vp", 1, "Bà Hai",
            "icmp://10.0.0.2 tcp://10.0.0.2:443",
        ),
    ]  # fmt: skip
    assert [str(remark) for remark in preview.remarks] == [
        "sites.csv: new area, called as the last step of its path: hanoi",
        "sites.csv: new area, called as the last step of its path: hanoi/q01",
        "sites.csv: new area, called as the last step of its path: hanoi/q01/x01",
        "sites.csv: new area, called as the last step of its path: hanoi/q01/x02",
    ]


async def test_the_same_file_again_changes_nothing(
    database: Database, registry: RegistryImport, table_of: TableOf
) -> None:
    await registry.import_sites(OPERATOR, table_of("sites", SITES))
    stored = await all_rows(database, STORED)
    again = await registry.import_sites(OPERATOR, table_of("sites", SITES))
    assert (again.created, again.changed, again.unchanged, again.changes, again.remarks) == (0, 0, 2, (), ())
    assert await all_rows(database, STORED) == stored


async def test_a_change_is_shown_and_a_column_that_is_missing_leaves_what_is_stored(
    database: Database, registry: RegistryImport, table_of: TableOf
) -> None:
    await registry.import_sites(OPERATOR, table_of("sites", SITES))
    preview = await registry.import_sites(
        OPERATOR, table_of("sites", "code,name,phone,endpoints\nX2,Xã Hai mới,,icmp://10.0.0.2\n")
    )
    assert preview.changes == (
        Change("x2", "endpoints", "icmp://10.0.0.2 tcp://10.0.0.2:443", "icmp://10.0.0.2"),
        Change("x2", "name", "Xã Hai", "Xã Hai mới"),
        Change("x2", "phone", "0912 345 678", ""),
    )
    row = (await all_rows(database, STORED))[1]
    assert row == ("x2", "xa hai moi", "hanoi/q01/x02", "commune", "x1", None, "vp", 2, "Bà Hai", "icmp://10.0.0.2")
    contacts = await all_rows(database, "SELECT name, phone, email FROM site_contacts")
    assert contacts == [("Bà Hai", "", "hai@example.vn")]


async def test_an_endpoint_that_stays_keeps_its_id(
    database: Database, registry: RegistryImport, table_of: TableOf
) -> None:
    await registry.import_sites(OPERATOR, table_of("sites", SITES))
    before = dict(await all_rows(database, "SELECT target, id FROM endpoints"))
    text = "code,name,endpoints\nx2,Xã Hai,icmp://10.0.0.2 icmp://10.0.0.9\n"
    await registry.import_sites(OPERATOR, table_of("sites", text))
    after = dict(await all_rows(database, "SELECT target, id FROM endpoints"))
    assert after.keys() == {"icmp://10.0.0.2", "icmp://10.0.0.9"}
    assert after["icmp://10.0.0.2"] == before["icmp://10.0.0.2"]


async def test_an_empty_cell_clears(database: Database, registry: RegistryImport, table_of: TableOf) -> None:
    await registry.import_sites(OPERATOR, table_of("sites", SITES))
    text = "code,name,area,parent,contact,phone,email,endpoints\nx2,Xã Hai,,,,,,\n"
    await registry.import_sites(OPERATOR, table_of("sites", text))
    row = (await all_rows(database, STORED))[1]
    assert row == ("x2", "xa hai", None, "commune", None, None, "vp", 2, None, None)
    assert await all_rows(database, "SELECT * FROM site_contacts") == []


BAD = """code,name,parent,phone,endpoints
a,Một,,0912 000 111,
b,Hai,nowhere,,
c,Ba,,,gopher://x
d,Bốn,,not a phone,
A,Năm,,,
e,Sáu,f,,
f,Bảy,e,,
"""


async def test_every_bad_row_is_named_and_nothing_is_written(
    database: Database, registry: RegistryImport, table_of: TableOf
) -> None:
    preview = await registry.import_sites(OPERATOR, table_of("sites", BAD))
    assert not preview.written
    assert preview.problem_count == 6
    found = [str(problem) for problem in preview.problems]
    assert [text.partition(": ")[0] for text in found] == [f"sites.csv:{line}" for line in (3, 4, 5, 6, 7, 8)]
    assert (
        found[0]
        == "sites.csv:3: column parent: there is no site with the code nowhere, and no good row of this file makes it"
    )
    assert "column endpoints: " in found[1]
    assert found[3] == "sites.csv:6: column code: stands in line 2 already; keep one of the two"
    assert found[4] == "sites.csv:7: column parent: f is e itself or hangs below it"
    assert await all_rows(database, "SELECT code FROM sites") == []
    assert await all_rows(database, "SELECT action FROM audit_events WHERE action = 'sites.import'") == []


async def test_partial_writes_the_good_rows(database: Database, registry: RegistryImport, table_of: TableOf) -> None:
    preview = await registry.import_sites(OPERATOR, table_of("sites", BAD), partial=True)
    assert (preview.written, preview.created, preview.problem_count) == (True, 1, 6)
    assert await all_rows(database, "SELECT code FROM sites") == [("a",)]


async def test_a_dry_run_shows_and_writes_nothing(
    database: Database, registry: RegistryImport, table_of: TableOf
) -> None:
    preview = await registry.import_sites(OPERATOR, table_of("sites", SITES), dry_run=True)
    assert (preview.created, preview.written) == (2, False)
    assert preview.changes[0] == Change("x2", "", None, "Xã Hai")
    assert await all_rows(database, "SELECT code FROM sites") == []
    assert await all_rows(database, "SELECT path FROM areas") == []


async def test_a_site_is_changed_by_its_office_alone(
    database: Database, registry: RegistryImport, table_of: TableOf
) -> None:
    await registry.import_sites(OPERATOR, table_of("sites", SITES))
    text = "code,name\nx1,Xã Một\nx2,Tên khác\n"
    preview = await registry.import_sites(OUTSIDER, table_of("sites", text))
    assert [str(problem) for problem in preview.problems] == [
        "sites.csv:3: column code: this site is kept by office vp, so you may not change it"
    ]
    assert (preview.unchanged, preview.written) == (1, False)
    await registry.import_sites(ADMIN, table_of("sites", "code,name\nz,Của chung\n"))
    preview = await registry.import_sites(OPERATOR, table_of("sites", "code,name\nz,Tên khác\n"))
    assert "kept by no office" in str(preview.problems[0])


async def test_an_import_leaves_one_event(database: Database, registry: RegistryImport, table_of: TableOf) -> None:
    await registry.import_sites(OPERATOR, table_of("sites", SITES))
    events = await all_rows(
        database, "SELECT actor, subject, detail::text FROM audit_events WHERE action = 'sites.import'"
    )
    assert events == [("user:an", "sites.csv", '{"changed": 0, "created": 2}')]


async def test_areas_bring_those_above_them(database: Database, registry: RegistryImport, table_of: TableOf) -> None:
    text = "path,name\nhanoi/q01/x01,Xã Một\nhanoi,Hà Nội\n"
    preview = await registry.import_areas(OPERATOR, table_of("areas", text))
    assert (preview.created, len(preview.remarks)) == (2, 1)
    assert await all_rows(database, "SELECT path, name FROM areas ORDER BY path") == [
        ("hanoi", "Hà Nội"), ("hanoi/q01", "q01"), ("hanoi/q01/x01", "Xã Một"),
    ]  # fmt: skip
    renamed = await registry.import_areas(OPERATOR, table_of("areas", "path,name\nhanoi/q01,Quận Một\n"))
    assert renamed.changes == (Change("hanoi/q01", "name", "q01", "Quận Một"),)


async def test_offices_are_changed_by_administrators(
    database: Database, offices: OfficeImport, table_of: TableOf
) -> None:
    text = "code,name,timezone\nVP,Văn phòng UBND,Asia/Tokyo\n"
    preview = await offices.import_offices(ADMIN, table_of("offices", text))
    assert {(change.field, change.after) for change in preview.changes} == {
        ("name", "Văn phòng UBND"), ("timezone", "Asia/Tokyo"),
    }  # fmt: skip
    stored = await all_rows(database, "SELECT code, time_zone, version FROM offices ORDER BY code")
    assert stored == [("other", "Asia/Ho_Chi_Minh", 1), ("vp", "Asia/Tokyo", 2)]


def test_a_circle_is_found_from_the_sites_in_it_alone() -> None:
    parents = {"a": "b", "b": "a", "c": "a", "d": "e"}
    assert {site for site in "abcde" if in_circle(site, parents)} == {"a", "b"}


async def test_two_imports_at_once_take_turns(
    database: Database, registry: RegistryImport, table_of: TableOf, tmp_path: Path
) -> None:
    codes = [f"s{number:03}" for number in range(300)]
    forward = table_of("sites", "code,name\n" + "".join(f"{code},Xã\n" for code in codes))
    (tmp_path / "other").mkdir()
    backward = tmp_path / "other" / "sites.csv"
    backward.write_text("code,name\n" + "".join(f"{code},Phường\n" for code in reversed(codes)), encoding="utf-8")
    previews = await asyncio.gather(
        registry.import_sites(OPERATOR, forward), registry.import_sites(OPERATOR, read_table(backward, TABLES["sites"]))
    )
    assert sorted((each.created, each.changed, each.written) for each in previews) == [(0, 300, True), (300, 0, True)]
    assert await all_rows(database, "SELECT count(DISTINCT name), min(version), max(version) FROM sites") == [(1, 2, 2)]
