"""The sample city as rows of the tables that an import takes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict

from bridgemgr.db.bulk import Entries
from bridgemgr.demo.endpoints import Endpoint
from bridgemgr.demo.model import City, Conference
from bridgemgr.tables import TABLES

_LABEL = "demo"


def entries(table: str, rows: Iterable[Mapping[str, object]]) -> Entries:
    """Rows by column name as a source of the import; all rows name the same columns."""
    spec = TABLES[table]
    listed = list(rows)
    present = frozenset(listed[0]) if listed else frozenset()
    empty = {column.name: column.empty for column in spec.columns}
    values = [tuple({**empty, **row}.values()) for row in listed]
    return Entries(_LABEL, spec, present, list(enumerate(values, start=1)))


def offices(city: City) -> Entries:
    """The three offices."""
    return entries("offices", map(asdict, city.offices))


def areas(city: City) -> Entries:
    """Every area."""
    return entries("areas", ({"path": each.path, "name": each.name} for each in city.areas))


def sites(city: City, endpoints: Sequence[Endpoint]) -> Entries:
    """Every site with its endpoints' targets."""
    targets: dict[str, list[str]] = {}
    for endpoint in endpoints:
        targets.setdefault(endpoint.site, []).append(endpoint.target)
    return entries(
        "sites",
        (
            {
                "code": each.code,
                "name": each.name,
                "area": each.area,
                "kind": each.kind,
                "parent": each.parent,
                "contact": each.contact,
                "phone": each.phone,
                "endpoints": tuple(targets.get(each.code, ())),
            }
            for each in city.sites
        ),
    )


def conferences(found: Iterable[Conference]) -> Entries:
    """Conferences without their bridges."""
    return entries(
        "conferences",
        (
            {
                "code": each.code,
                "office": each.office,
                "title": each.title,
                "starts_at": each.starts_at,
                "ends_at": each.ends_at,
                "main_site": each.main_site,
                "quorum_ratio": each.quorum_ratio,
                "bridge_quorum_ratio": each.bridge_quorum_ratio,
                "co_offices": each.co_offices,
                "kind": each.kind,
                "level": each.level,
            }
            for each in found
        ),
    )


def bridges(found: Iterable[Conference]) -> Entries:
    """The bridges of conferences."""
    return entries(
        "bridges",
        (
            {
                "conference": each.code,
                "site": bridge.site,
                "expected_delegates": bridge.expected_delegates,
                "names_kept": bridge.names_kept,
            }
            for each in found
            for bridge in each.bridges
        ),
    )


def delegates(conference: Conference) -> Entries:
    """The rosters of a conference's bridges."""
    return entries(
        "delegates",
        (
            {"conference": conference.code, "site": bridge.site, **asdict(delegate)}
            for bridge in conference.bridges
            for delegate in bridge.roster
        ),
    )
