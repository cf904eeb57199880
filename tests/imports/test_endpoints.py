"""Endpoints in documents and tables: thresholds, what they are behind, and those of the core."""

import asyncio
from collections.abc import Callable

import pytest

from bridgemgr.cli.manifest import read_manifest
from bridgemgr.conferences.apply import Apply
from bridgemgr.db import Database
from bridgemgr.db.bulk import Change, Preview
from bridgemgr.errors import Forbidden, Invalid
from bridgemgr.principal import Principal
from bridgemgr.registry.bulk import RegistryImport
from bridgemgr.registry.endpoint_bulk import EndpointImport
from bridgemgr.registry.endpoints import Endpoints
from bridgemgr.registry.equipment_model import EndpointPatch
from bridgemgr.registry.model import SitePatch
from bridgemgr.registry.sites import Sites
from bridgemgr.tables import Table
from tests.conftest import SettableClock
from tests.imports.conftest import ADMIN, OPERATOR, OUTSIDER, all_rows, canonical_target
from tests.registry.bad_targets import BAD

OFFICE_AND_SITES = """
offices: [{code: vp, name: Văn phòng}]
sites:
  - {code: HUB, name: Trung tâm}
  - {code: x1, name: Xã Một, parent: HUB}
"""
CITY = (
    OFFICE_AND_SITES
    + """
endpoints:
  - {target: "sip:room@10.0.0.2", site: x1, fall: 5, rise: 1, depends_on: "icmp://10.0.0.1"}
  - {target: "ICMP://10.0.0.1", site: x1, depends_on: HUB icmp://10.9.0.1}
  - {target: "icmp://10.9.0.1", site: hub, depends_on: "icmp://10.9.9.9"}
  - {target: "icmp://10.9.9.9"}
  - {target: "sip:mcu@10.9.9.1", depends_on: (core) icmp://10.9.9.9}
"""
)
STORED = (
    "SELECT coalesce(s.code, '-'), e.target, e.fall, e.rise, coalesce(us.code, '-') || ' ' || u.target"
    " FROM endpoints e LEFT JOIN sites s ON s.id = e.site_id LEFT JOIN endpoints u ON u.id = e.depends_on"
    " LEFT JOIN sites us ON us.id = u.site_id ORDER BY 1, 2"
)
WHOLE = [
    ("-", "icmp://10.9.9.9", None, None, None),
    ("-", "sip:mcu@10.9.9.1", None, None, "- icmp://10.9.9.9"),
    ("HUB", "icmp://10.9.0.1", None, None, "- icmp://10.9.9.9"),
    ("x1", "icmp://10.0.0.1", None, None, "HUB icmp://10.9.0.1"),
    ("x1", "sip:room@10.0.0.2", 5, 1, "x1 icmp://10.0.0.1"),
]

TableOf = Callable[[str, str], Table]


@pytest.fixture
def city(database: Database, clock: SettableClock) -> Apply:
    return Apply(database, clock, canonical_target)


@pytest.fixture
def endpoints(database: Database, clock: SettableClock) -> EndpointImport:
    return EndpointImport(database, clock, canonical_target)


async def applied(city: Apply, text: str, who: Principal = ADMIN, **how: bool) -> Preview:
    """What became of the section of endpoints."""
    previews = await city.apply(who, read_manifest(text.encode(), "city.yaml"), **how)
    others = [str(problem) for each in previews if each.table != "endpoints" for problem in each.problems]
    assert others == []
    return next(each for each in previews if each.table == "endpoints")


def only(text: str) -> str:
    return "endpoints:\n" + text


async def test_a_document_says_all_of_an_endpoint_and_twice_changes_nothing(database: Database, city: Apply) -> None:
    shown = await applied(city, CITY, dry_run=True)
    assert (shown.created, shown.written) == (5, False)
    assert await all_rows(database, "SELECT 1 FROM endpoints") == []
    assert (await applied(city, CITY)).created == 5
    assert await all_rows(database, STORED) == WHOLE
    again = await applied(city, CITY)
    assert (again.differs, again.unchanged, again.problems) == (False, 5, ())
    assert await all_rows(database, STORED) == WHOLE


async def test_a_change_keeps_the_endpoint_and_what_is_left_out(database: Database, city: Apply) -> None:
    await applied(city, CITY)
    before = await all_rows(database, "SELECT id FROM endpoints WHERE target LIKE 'sip:room%'")
    line = '  - {target: "sip:room@10.0.0.2", site: X1, '
    changed = await applied(city, only(line + "rise: }"))
    assert changed.changes == (Change("x1 sip:room@10.0.0.2", "rise", "1", None),)
    changed = await applied(city, only(line + 'depends_on: "(core) icmp://10.9.9.9"}'))
    told = Change("x1 sip:room@10.0.0.2", "depends_on", "x1 icmp://10.0.0.1", "(core) icmp://10.9.9.9")
    assert changed.changes == (told,)
    cleared = await applied(city, only(line + "depends_on: }"))
    assert [each.after for each in cleared.changes] == [None]
    assert await all_rows(database, "SELECT id FROM endpoints WHERE target LIKE 'sip:room%'") == before
    assert (await all_rows(database, STORED))[-1] == ("x1", "sip:room@10.0.0.2", 5, None, None)


async def test_the_own_site_comes_before_the_core(database: Database, city: Apply) -> None:
    text = """
  - {target: "icmp://10.0.0.1", site: x1, depends_on: "icmp://10.0.0.1"}
  - {target: "icmp://10.0.0.1"}
  - {target: "tcp://10.0.0.2:80", site: x1, depends_on: "icmp://10.0.0.1"}
  - {target: "tcp://10.0.0.3:80", site: x1, depends_on: "(core) icmp://10.0.0.1"}
"""
    assert (await applied(city, OFFICE_AND_SITES + only(text))).created == 4
    assert [row[4] for row in await all_rows(database, STORED)] == [
        None,
        "- icmp://10.0.0.1",  # an endpoint is never behind itself
        "x1 icmp://10.0.0.1",
        "- icmp://10.0.0.1",
    ]


async def test_targets_that_differ_in_case_alone_are_two(city: Apply) -> None:
    text = '  - {target: "https://10.0.0.1/A"}\n  - {target: "https://10.0.0.1/a"}\n'
    assert (await applied(city, only(text))).created == 2


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        ('- {target: "icmp://0x7f.1"}', "7:3: target: Not a target: '0x7f.1' is no IPv4 address"),
        ('- {target: "http://u:p@10.0.0.1/"}', "7:3: target: Not a target: a user or password does not belong in it"),
        ('- {target: "icmp://a", site: x9}', "7:3: site: there is no site with the code x9"),
        ('- {target: "icmp://a", depends_on: icmp://b}', "depends_on: there is no endpoint (core) icmp://b, and no"),
        ('- {target: "icmp://a", depends_on: x9 icmp://a}', "depends_on: there is no endpoint x9 icmp://a, and no"),
        ('- {target: "icmp://a", depends_on: "x 1 icmp://a"}', "depends_on: "),
        ('- {target: "icmp://a", depends_on: "-x icmp://a"}', "depends_on: the site '-x' is no code"),
        ('- {target: "icmp://a", depends_on: "(core) icmp://a"}', "depends_on: would close a circle: icmp://a (core)"),
        ('- {target: "icmp://a"}\n- {target: "ICMP://A"}', "target: stands in line 7:3 already; keep one of the two"),
        (
            '- {target: "icmp://a", site: HUB, depends_on: x1 icmp://b}\n- {target: "icmp://b", site: x1}',
            "depends_on: would close a circle: icmp://a (hub) would be behind icmp://b (x1), which is behind icmp://a",
        ),
        (
            '- {target: "icmp://a", depends_on: icmp://b}\n- {target: "icmp://b", depends_on: icmp://a}',
            "depends_on: would close a circle: icmp://a (core) would be behind icmp://b (core), which is behind",
        ),
    ],
)
async def test_what_cannot_be_is_named_at_its_line(database: Database, city: Apply, entries: str, says: str) -> None:
    preview = await applied(city, OFFICE_AND_SITES + only(entries))
    assert says in str(preview.problems[0]).replace("city.yaml:", "")
    assert len(preview.problems) == 1
    assert await all_rows(database, "SELECT 1 FROM sites") == []


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ('{target: "icmp://a", fall: 0}', "endpoints.fall: is 0, which is not from 1 to 100"),
        ('{target: "icmp://a", rise: 101}', "endpoints.rise: is 101, which is not from 1 to 100"),
        ('{target: "icmp://a", fall: often}', "endpoints.fall: is no whole number"),
        ("{site: x1}", "endpoints: the key target is missing"),
        ('{target: "icmp://a", core: true}', "endpoints.core: unknown key; known are target, site, fall, rise"),
        ('{target: ["icmp://a"]}', "endpoints.target: must be a single value"),
    ],
)
def test_what_cannot_be_read_is_named_at_its_place(entry: str, says: str) -> None:
    with pytest.raises(Invalid) as caught:
        read_manifest(only(f"  - {entry}").encode(), "city.yaml")
    assert says in str(caught.value.problems[0])


async def test_a_bad_target_is_named_with_its_reason_wherever_it_is_written(
    database: Database, city: Apply, registry: RegistryImport, endpoints: EndpointImport, table_of: TableOf
) -> None:
    for bad, reason in BAD.items():
        entry = f"{{code: x1, name: Xã, endpoints: ['{bad}']}}"
        [of_site] = await city.apply(ADMIN, read_manifest(f"sites:\n  - {entry}\n".encode(), "city.yaml"))
        found = {
            "city.yaml:2:5: endpoints: ": of_site,
            "city.yaml:2:5: target: ": await applied(city, only(f"  - {{target: '{bad}'}}\n")),
            "city.yaml:3:5: depends_on: ": await applied(
                city, only(f"  - {{target: icmp://ok}}\n  - {{target: icmp://b, depends_on: '{bad}'}}\n")
            ),
            "sites.csv:2: column endpoints: ": await registry.import_sites(
                ADMIN, table_of("sites", f'code,name,endpoints\nx1,Xã,"{bad}"\n')
            ),
            "endpoints.csv:2: column target: ": await endpoints.import_endpoints(
                ADMIN, table_of("endpoints", f'target\n"{bad}"\n')
            ),
        }
        for place, preview in found.items():
            assert [str(each).startswith(place) for each in preview.problems] == [True], (bad, preview.problems)
            assert reason in preview.problems[0].message
            assert "secret" not in str(preview.problems)
    assert await all_rows(database, "SELECT 1 FROM endpoints") == []


async def test_two_circles_are_both_named(city: Apply) -> None:
    entries = "".join(
        f'  - {{target: "icmp://{lower}", depends_on: "icmp://{upper}"}}\n' for lower, upper in ("ab", "ba", "cd", "dc")
    )
    preview = await applied(city, only(entries))
    assert [str(each).split(" would be")[0].rpartition(" circle: ")[2] for each in preview.problems] == [
        "icmp://a (core)",
        "icmp://c (core)",
    ]


async def test_a_parent_that_closes_a_circle_through_endpoints_is_refused(database: Database, city: Apply) -> None:
    sites = "sites:\n  - {code: HUB, name: Hub, office: vp}\n  - {code: x1, name: Xã Một, office: vp}\n"
    office = "offices: [{code: vp, name: Văn phòng}]\n"
    text = '  - {target: "icmp://a", site: HUB, depends_on: x1 icmp://b}\n  - {target: "icmp://b", site: x1}\n'
    await applied(city, office + sites + only(text))
    hung = sites.replace("Xã Một,", "Xã Một, parent: HUB,")
    [preview] = await city.apply(ADMIN, read_manifest(hung.encode(), "city.yaml"))
    assert [str(problem) for problem in preview.problems] == [
        "city.yaml:3:5: parent: would close a circle: icmp://a (hub) would be behind icmp://b (x1), which is behind"
        " icmp://a (hub)"
    ]
    assert await all_rows(database, "SELECT 1 FROM sites WHERE parent_id IS NOT NULL") == []


async def test_prune_takes_away_what_the_section_does_not_name_of_the_places_that_it_names(
    database: Database, city: Apply
) -> None:
    await applied(city, CITY)
    less = OFFICE_AND_SITES + only('  - {target: "icmp://10.0.0.1", site: x1, depends_on: }\n')
    assert (await applied(city, less)).removed == 0
    shown = await applied(city, less, dry_run=True, prune=True)
    assert (shown.removed, len(await all_rows(database, STORED))) == (1, 5)
    pruned = await applied(city, less, prune=True)
    assert Change("x1 sip:room@10.0.0.2", "", "sip:room@10.0.0.2", None) in pruned.changes
    assert [row[1] for row in await all_rows(database, STORED)] == [row[1] for row in WHOLE[:4]]
    core = OFFICE_AND_SITES + only('  - {target: "sip:mcu@10.9.9.1", depends_on: }\n')
    kept = await applied(city, core, prune=True)
    assert kept.removed == 0
    assert [str(each) for each in kept.remarks] == ["(core) icmp://10.9.9.9: stays, as another endpoint is behind it"]


async def test_a_sites_own_list_and_the_section_may_not_disagree(database: Database, city: Apply) -> None:
    sites = OFFICE_AND_SITES.replace("parent: HUB", 'parent: HUB, endpoints: ["icmp://10.0.0.1"]')
    both = sites + only('  - {target: "icmp://10.0.0.1", site: x1, fall: 7}\n')
    await applied(city, both)
    assert await all_rows(database, STORED) == [("x1", "icmp://10.0.0.1", 7, None, None)]
    assert not (await applied(city, both)).differs
    more = await applied(city, sites + only('  - {target: "icmp://10.0.0.2", site: x1}\n'))
    assert "the entry of the site x1 lists its endpoints without this one" in str(more.problems[0])


async def test_the_column_of_the_sites_table_keeps_thresholds_and_dependencies(
    database: Database, city: Apply, registry: RegistryImport, table_of: TableOf
) -> None:
    await applied(city, CITY)
    sites = "code,name,endpoints\nx1,Xã Một,sip:room@10.0.0.2 icmp://10.0.0.1 tcp://10.0.0.3:80\n"
    await registry.import_sites(ADMIN, table_of("sites", sites))
    assert [row for row in await all_rows(database, STORED) if row[0] == "x1"] == [
        *WHOLE[3:],
        ("x1", "tcp://10.0.0.3:80", None, None, None),
    ]


async def test_each_office_has_the_endpoints_of_its_own_sites(database: Database, city: Apply, offices: object) -> None:
    await city.apply(ADMIN, read_manifest(OFFICE_AND_SITES.encode(), "city.yaml"))
    assert (await applied(city, only('  - {target: "icmp://a", site: x1}'), OPERATOR)).created == 1
    for who, entry, says in (
        (OUTSIDER, '{target: "icmp://b", site: x1}', "kept by office vp, so you may not change its endpoints"),
        (OPERATOR, '{target: "icmp://b"}', "an endpoint of the core, and only administrators of every office"),
    ):
        preview = await applied(city, only(f"  - {entry}"), who)
        assert says in str(preview.problems[0])
    with pytest.raises(Forbidden):
        await applied(city, only('  - {target: "icmp://a", site: x1}'), Principal("user", "user:d", ()))
    await applied(city, only('  - {target: "icmp://b", site: x1}'))
    with pytest.raises(Forbidden):  # nothing of it differs, and yet it would take one away
        await applied(city, only('  - {target: "icmp://b", site: x1}'), OUTSIDER, prune=True)
    assert len(await all_rows(database, STORED)) == 2


async def test_a_document_and_somebody_else_do_not_close_a_circle_together(
    database: Database, clock: SettableClock, city: Apply
) -> None:
    """Each alone would be right: the document hangs a site, the other one an endpoint."""
    people = Endpoints(database, clock, canonical_target)
    sites = OFFICE_AND_SITES.replace(", parent: HUB", "")
    both = '  - {target: "icmp://a", site: HUB, depends_on: }\n  - {target: "icmp://b", site: x1}\n'
    await applied(city, sites.replace("Xã Một", "Xã Một, parent: ") + only(both))
    hub, codec = [(await people.named(ADMIN, *place)).id for place in (("HUB", "icmp://a"), ("x1", "icmp://b"))]

    async def hang() -> bool:
        previews = await city.apply(ADMIN, read_manifest(OFFICE_AND_SITES.encode(), "city.yaml"))
        return all(preview.written for preview in previews)

    async def lean() -> bool:
        try:
            await people.change(ADMIN, hub, EndpointPatch(depends_on=codec))
        except Invalid:
            return False
        return True

    for _ in range(5):
        assert sorted(await asyncio.gather(hang(), lean())) == [False, True]
        await people.change(ADMIN, hub, EndpointPatch(depends_on=None))
        await city.apply(ADMIN, read_manifest(sites.replace("Xã Một", "Xã Một, parent: ").encode(), "city.yaml"))


async def test_a_document_and_people_who_hang_its_sites_do_not_wait_for_each_other(
    database: Database, clock: SettableClock, city: Apply
) -> None:
    people = Sites(database, clock, canonical_target)
    codes = [f"x{number}" for number in range(1, 30)]
    entries = "".join(f"  - {{code: {code}, name: Xã, office: vp, parent: HUB}}\n" for code in codes)
    text = f"offices: [{{code: vp, name: VP}}]\nsites:\n  - {{code: HUB, name: Hub, office: vp}}\n{entries}".encode()
    await city.apply(ADMIN, read_manifest(text, "city.yaml"))
    for code in codes:
        await people.change(ADMIN, code, SitePatch(parent=None))
    hanging = [people.change(ADMIN, code, SitePatch(parent="HUB")) for code in reversed(codes)]
    previews, *changed = await asyncio.gather(city.apply(ADMIN, read_manifest(text, "city.yaml")), *hanging)
    assert all(preview.written for preview in previews)
    assert {site.parent for site in changed} == {"HUB"}


async def test_a_site_has_at_most_fifty(city: Apply) -> None:
    await city.apply(ADMIN, read_manifest(OFFICE_AND_SITES.encode(), "city.yaml"))
    entries = "".join(f'  - {{target: "icmp://10.0.0.{last}", site: x1}}\n' for last in range(51))
    preview = await applied(city, only(entries))
    assert preview.problem_count == 51
    assert "this site would have 51 endpoints; one has at most 50" in str(preview.problems[0])


async def test_the_same_as_a_table(
    database: Database, hanoi: None, endpoints: EndpointImport, table_of: TableOf
) -> None:
    table = (
        "địa chỉ,mã điểm cầu,số lần hỏng,phụ thuộc\nsip:10.0.0.2,x1,4,icmp://10.0.0.1\nicmp://10.0.0.1,x1,,\n"
        "icmp://10.9.9.9,,,\n"
    )
    done = await endpoints.import_endpoints(ADMIN, table_of("endpoints", table))
    assert (done.created, done.written) == (3, True)
    stored = [
        ("-", "icmp://10.9.9.9", None, None, None),
        ("x1", "icmp://10.0.0.1", None, None, None),
        ("x1", "sip:10.0.0.2", 4, None, "x1 icmp://10.0.0.1"),
    ]
    assert await all_rows(database, STORED) == stored
    thresholds = "target,site,rise\nsip:10.0.0.2,x1,9\n"
    await endpoints.import_endpoints(ADMIN, table_of("endpoints", thresholds))
    assert (await all_rows(database, STORED))[2] == ("x1", "sip:10.0.0.2", 4, 9, "x1 icmp://10.0.0.1")
    roots = "target,site,depends_on\nsip:10.0.0.2,x1,icmp://10.9.9.9\n"
    assert (await endpoints.import_endpoints(ADMIN, table_of("endpoints", roots))).changed == 1
    assert (await all_rows(database, STORED))[2] == ("x1", "sip:10.0.0.2", 4, 9, "- icmp://10.9.9.9")
    alone = "target\nicmp://10.9.9.9\n"
    assert (await endpoints.import_endpoints(ADMIN, table_of("endpoints", alone))).unchanged == 1
    bad = "target,site,fall\nsip:10.0.0.2,x1,0\nicmp://10.0.0.1,x1,1\nnonsense,x1,\nicmp://ok,x1,\n"
    partly = await endpoints.import_endpoints(ADMIN, table_of("endpoints", bad), partial=True)
    assert [str(each).partition(": ")[0] for each in partly.problems] == ["endpoints.csv:2", "endpoints.csv:4"]
    assert (partly.created, partly.changed) == (1, 1)
    audited = "SELECT detail->>'created' FROM audit_events WHERE action = 'endpoints.import' ORDER BY id"
    assert await all_rows(database, audited) == [("3",), ("0",), ("0",), ("1",)]
