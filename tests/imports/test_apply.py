import pytest

from bridgemgr.cli.manifest import read_manifest
from bridgemgr.conferences.apply import Apply, Manifest
from bridgemgr.db import Database
from bridgemgr.db.bulk import Change
from bridgemgr.errors import Forbidden, Invalid
from tests.conftest import SettableClock
from tests.imports.conftest import ADMIN, OPERATOR, all_rows, canonical_target

CITY = """
offices:
  - {code: vp, name: Văn phòng}
areas:
  - {path: hanoi, name: Hà Nội}
sites:
  - {code: x2, name: Xã Hai, parent: x1}
  - code: x1
    name: Xã Một
    area: hanoi
    phone: 0911 111 111
    endpoints: ["icmp://10.0.0.1", "tcp://10.0.0.1:443"]
conferences:
  - code: hn1
    office: vp
    title: Họp
    starts_at: 02/03/2026 08:00
    ends_at: 2026-03-02 11:00
    main_site: x1
    bridges: {x1: 10, x2: {expected_delegates: 3, importance: high}}
"""
BRIDGES = (
    "SELECT c.code, s.code, expected_delegates, importance FROM bridges b JOIN sites s ON s.id = b.site_id"
    " JOIN conferences c ON c.id = b.conference_id ORDER BY 1, 2"
)


@pytest.fixture
def city(database: Database, clock: SettableClock) -> Apply:
    return Apply(database, clock, canonical_target)


def document(text: str) -> Manifest:
    return read_manifest(text.encode(), "city.yaml")


async def test_a_document_becomes_what_it_says(database: Database, city: Apply) -> None:
    previews = await city.apply(ADMIN, document(CITY))
    assert [(each.table, each.created, each.changed, each.written) for each in previews] == [
        ("offices", 1, 0, True), ("areas", 1, 0, True), ("sites", 2, 0, True), ("conferences", 1, 0, True),
        ("bridges", 1, 1, True),
    ]  # fmt: skip
    assert await all_rows(database, BRIDGES) == [("hn1", "x1", 10, "normal"), ("hn1", "x2", 3, "high")]
    sites = "SELECT s.code, o.code, p.code FROM sites s JOIN offices o ON o.id = s.office_id"
    assert await all_rows(database, f"{sites} LEFT JOIN sites p ON p.id = s.parent_id ORDER BY 1") == [
        ("x1", "vp", None), ("x2", "vp", "x1"),
    ]  # fmt: skip
    again = await city.apply(ADMIN, document(CITY))
    assert not any(each.differs for each in again)


async def test_a_key_left_out_stays_and_an_empty_value_clears(database: Database, city: Apply) -> None:
    await city.apply(ADMIN, document(CITY))
    previews = await city.apply(
        ADMIN,
        document("sites:\n  - {code: x1, name: Mới, phone: }\n  - {code: x2, name: Xã Hai, area: hanoi, office: vp}\n"),
    )
    assert previews[0].changes == (
        Change("x1", "name", "Xã Một", "Mới"),
        Change("x1", "phone", "0911 111 111", ""),
        Change("x2", "area", None, "hanoi"),
    )
    stored = await all_rows(
        database, "SELECT s.code, (SELECT count(*) FROM endpoints WHERE site_id = s.id), p.code FROM sites s"
        " LEFT JOIN sites p ON p.id = s.parent_id ORDER BY 1",
    )  # fmt: skip
    assert stored == [("x1", 2, None), ("x2", 0, "x1")]


async def test_one_bad_entry_keeps_all_out(database: Database, city: Apply) -> None:
    previews = await city.apply(ADMIN, document(CITY.replace("x2: {", "nowhere: {")))
    assert [str(problem) for each in previews for problem in each.problems] == [
        "city.yaml:20:32: site: there is no site with the code nowhere"
    ]
    assert await all_rows(database, "SELECT code FROM offices") == []


async def test_prune_removes_what_is_not_named(database: Database, city: Apply) -> None:
    await city.apply(ADMIN, document(CITY))
    less = """
offices: [{code: vp, name: Văn phòng}]
sites: [{code: x1, name: Xã Một}]
conferences:
  - code: hn1
    office: vp
    title: Họp
    starts_at: 02/03/2026 08:00
    ends_at: 02/03/2026 11:00
    bridges: [{site: x1, expected_delegates: 10}]
"""
    kept = await city.apply(ADMIN, document(less))
    assert [each.removed for each in kept] == [0, 0, 0, 0]
    shown = await city.apply(ADMIN, document(less), dry_run=True, prune=True)
    assert [(each.table, each.removed) for each in shown] == [
        ("offices", 0), ("sites", 1), ("conferences", 0), ("bridges", 1),
    ]  # fmt: skip
    assert Change("hn1/x2", "", "x2", None) in shown[3].changes
    assert len(await all_rows(database, BRIDGES)) == 2
    await city.apply(ADMIN, document(less), prune=True)
    assert await all_rows(database, BRIDGES) == [("hn1", "x1", 10, "normal")]
    assert await all_rows(database, "SELECT code FROM sites") == [("x1",)]
    gone = "offices: [{code: vp, name: Văn phòng}]\nconferences: []\n"
    previews = await city.apply(ADMIN, document(gone), prune=True)
    assert previews[1].changes == (Change("hn1", "", "Họp, with 1 bridge", None),)
    assert [(each.table, each.removed) for each in previews] == [("offices", 0), ("conferences", 1), ("bridges", 1)]
    assert await all_rows(database, "SELECT code FROM conferences") == []


async def test_prune_never_removes_what_has_check_ins(database: Database, city: Apply) -> None:
    await city.apply(ADMIN, document(CITY))
    async with database.transaction() as conn:
        await conn.execute(
            "INSERT INTO attendance (bridge_id, updated_at) SELECT b.id, now() FROM bridges b"
            " JOIN sites s ON s.id = b.site_id WHERE s.code = 'x2'"
        )
    less = CITY.replace(", x2: {expected_delegates: 3, importance: high}", "")
    previews = await city.apply(ADMIN, document(less), prune=True)
    assert [str(remark) for remark in previews[-1].remarks] == [
        "hn1/x2: stays, as it has check-ins or signed line tests"
    ]
    assert all(each.written for each in previews)
    assert len(await all_rows(database, BRIDGES)) == 2
    gone = "offices: [{code: vp, name: Văn phòng}]\nconferences: []\n"
    previews = await city.apply(ADMIN, document(gone), prune=True)
    assert [str(remark) for remark in previews[1].remarks] == ["hn1: stays, as it has check-ins or signed line tests"]
    assert len(await all_rows(database, BRIDGES)) == 2


async def test_a_site_that_something_refers_to_stays(database: Database, city: Apply) -> None:
    await city.apply(ADMIN, document(CITY))
    less = "offices: [{code: vp, name: Văn phòng}]\nsites: []\n"
    previews = await city.apply(ADMIN, document(less), prune=True)
    assert (previews[1].removed, previews[1].written) == (0, True)
    assert [str(remark) for remark in previews[1].remarks] == [
        "x1: stays, as something refers to it; set its valid_to instead",
        "x2: stays, as something refers to it; set its valid_to instead",
    ]


def test_everything_wrong_in_a_document_is_named_with_its_place() -> None:
    text = """offices:
  - {code: vp, nmae: Văn phòng}
sites:
  - {code: "a b", name: X, phone: &p 0911}
  - just text
  - {code: x, code: y, name: X, area: [a]}
conferences: {}
people: []
"""
    with pytest.raises(Invalid) as refused:
        document(text)
    assert [str(problem) for problem in refused.value.problems] == [
        "city.yaml:2:5: offices: the key name is missing",
        "city.yaml:2:16: offices.nmae: unknown key; known are code, name, timezone, contact, phone",
        "city.yaml:4:12: sites.code: is no code: use 1 to 64 of the letters A-Z and a-z, digits, full stop,"
        " hyphen and underscore, and begin with a letter or digit",
        "city.yaml:4:35: sites.phone: anchors (&name) are not taken; write the value out where it is wanted",
        "city.yaml:5:5: sites: must be a mapping with code, name, area, kind, parent, timezone, contact, phone,"
        " email, endpoints, observable, office",
        "city.yaml:6:15: sites.code: stands twice, first in line 6; keep one",
        "city.yaml:6:39: sites.area: must be a single value: path of its area",
        "city.yaml:7:14: conferences: must be a list, each entry beginning with a hyphen",
        "city.yaml:8:1: people: unknown key; known are offices, areas, sites, endpoints, conferences",
    ]


async def test_an_operator_may_not_make_offices(database: Database, city: Apply) -> None:
    with pytest.raises(Forbidden, match="role admin"):
        await city.apply(OPERATOR, document(CITY))
    assert await all_rows(database, "SELECT code FROM offices") == []
