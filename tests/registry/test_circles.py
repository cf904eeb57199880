"""Nothing is behind itself: neither by what endpoints depend on, nor by the parents of sites, nor by both together."""

import asyncio
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridgemgr.registry.circles import Place, find_circle, told
from tests.registry.house import House

SITES = ("a", "b", "c", "d")


def place(text: str) -> Place:
    site, _, target = text.rpartition("/")
    return Place(site or None, target)


def graph(*edges: str) -> dict[Place, Place]:
    """``b/2>a/1``: the endpoint 2 of the site b depends on 1 of a; without a site it is of the core."""
    return {place(lower): place(upper) for lower, upper in (edge.split(">") for edge in edges)}


@pytest.mark.parametrize(
    ("behind", "parents", "round_by"),
    [
        (["a/1>a/2"], {}, None),
        (["a/1>a/2", "a/2>b/3", "b/3>4"], {"a": "b"}, None),
        (["a/1>b/2"], {"a": "b"}, None),
        (["a/1>a/2", "a/2>a/1"], {}, "1 (a) would be behind 2 (a), which is behind 1 (a)"),
        (["1>2", "2>1"], {}, "1 (core) would be behind 2 (core), which is behind 1 (core)"),
        (["a/1>b/2"], {"b": "a"}, "1 (a) would be behind 2 (b), which is behind 1 (a)"),
        (["a/1>c/3"], {"c": "b", "b": "a"}, "1 (a) would be behind 3 (c), which is behind 1 (a)"),
        (
            ["a/1>d/4", "c/3>b/2"],
            {"d": "c", "b": "a"},
            "1 (a) would be behind 4 (d), which is behind 3 (c), which is behind 2 (b), which is behind 1 (a)",
        ),
        (
            ["a/1>a/2", "a/2>1", "1>b/2"],
            {"b": "a"},
            "1 (a) would be behind 2 (a), which is behind 1 (core), which is behind 2 (b), which is behind 1 (a)",
        ),
    ],
)
def test_a_circle_is_found_and_told(behind: list[str], parents: dict[str, str], round_by: str | None) -> None:
    found = find_circle(graph(*behind), parents)
    if round_by is None:
        assert found is None
    else:
        assert told(found, graph(*behind)) == round_by


places = st.builds(Place, st.sampled_from([*SITES, None]), st.sampled_from("123"))


@given(
    st.dictionaries(places, places, max_size=8),
    st.lists(st.integers(-1, 2), min_size=4, max_size=4),
)
def test_it_finds_one_wherever_walking_long_enough_comes_round(behind: dict[Place, Place], above: list[int]) -> None:
    parents = {SITES[at]: SITES[up] for at, up in enumerate(above) if 0 <= up < at}  # the tree itself has none
    everything = {*behind, *behind.values()}

    def uppers(lower: Place) -> set[Place]:
        found = {behind[lower]} if lower in behind else set()
        site = lower.site
        while site in parents:
            site = parents[site]
            found |= {each for each in everything if each.site == site}
        return found

    def comes_round(start: Place) -> bool:
        reached = uppers(start)
        for _ in everything:
            reached |= {upper for each in reached for upper in uppers(each)}
        return start in reached

    assert (find_circle(behind, parents) is not None) == any(map(comes_round, everything))


async def build(house: House, *, parents: dict[str, str | None], endpoints: dict[str, str]) -> dict[str, int]:
    """Sites in order and an endpoint for each ``name: site``; the ids by name."""
    for code in SITES:
        body = {"code": code, "name": code, "parent": parents.get(code)}
        assert (await house.ask("an", "POST", "/api/v1/sites", body))[0] == 201
    ids = {}
    for name, site in endpoints.items():
        status, made = await house.ask("an", "POST", f"/api/v1/sites/{site}/endpoints", {"target": f"icmp://{name}"})
        assert status == 201
        ids[name] = made["id"]
    return ids


async def depend(house: House, lower: int, upper: int) -> tuple[int, Any]:
    return await house.ask("an", "PATCH", f"/api/v1/endpoints/{lower}", {"depends_on": upper})


async def test_a_site_is_not_hung_under_one_whose_endpoint_is_behind_its_own(house: House) -> None:
    ids = await build(house, parents={"b": "a"}, endpoints={"hub": "c", "router": "a", "codec": "b"})
    assert (await depend(house, ids["hub"], ids["codec"]))[0] == 200
    whole = {"name": "a", "parent": "c"}
    for method, body in (("PATCH", {"parent": "C"}), ("PUT", whole)):
        status, problem = await house.ask("an", method, "/api/v1/sites/a", body)
        assert status == 422
        assert problem["errors"] == [
            {
                "where": "body.parent",
                "message": "would close a circle: icmp://codec (b) would be behind icmp://hub (c), which is behind"
                " icmp://codec (b)",
            }
        ]
    assert (await house.ask("an", "GET", "/api/v1/sites/a"))[1]["parent"] is None
    assert (await house.ask("an", "PATCH", "/api/v1/sites/a", {"name": "A"}))[0] == 200
    assert (await depend(house, ids["hub"], ids["router"]))[0] == 200
    assert (await house.ask("an", "PATCH", "/api/v1/sites/a", {"parent": "d"}))[0] == 200


async def test_of_two_that_close_a_circle_together_one_is_refused(house: House) -> None:
    ids = await build(house, parents={}, endpoints={"hub": "a", "codec": "b"})

    async def hang() -> int:
        return (await house.ask("an", "PATCH", "/api/v1/sites/b", {"parent": "a"}))[0]

    async def lean() -> int:
        return (await depend(house, ids["hub"], ids["codec"]))[0]

    for _ in range(10):
        assert sorted(await asyncio.gather(hang(), lean())) == [200, 422]
        assert (await house.ask("an", "PATCH", "/api/v1/sites/b", {"parent": None}))[0] == 200
        body = {"depends_on": None}
        assert (await house.ask("an", "PATCH", f"/api/v1/endpoints/{ids['hub']}", body))[0] == 200


async def test_a_change_is_refused_exactly_where_it_would_close_a_circle(house: House) -> None:
    """Random changes over the API, each judged beforehand by the search over everything."""
    choose = random.Random(7)
    names = {f"{site}{number}": site for site in SITES for number in (1, 2)}
    ids = await build(house, parents={}, endpoints=names)
    behind: dict[Place, Place] = {}
    parents: dict[str, str] = {}
    seen = []
    for _ in range(150):
        lower, upper = choose.choice(list(names)), choose.choice([*names, None])
        hang = choose.random() < 0.4
        new_behind, new_parents = dict(behind), dict(parents)
        if hang:
            site, parent = names[lower], upper and names[upper]
            new_parents.pop(site, None)
            if parent:
                new_parents[site] = parent
            status, _ = await house.ask("an", "PATCH", f"/api/v1/sites/{site}", {"parent": parent})
        else:
            new_behind.pop(Place(names[lower], lower), None)
            if upper:
                new_behind[Place(names[lower], lower)] = Place(names[upper], upper)
            status, _ = await depend(house, ids[lower], upper and ids[upper])
        refused = _hangs_below_itself(new_parents) or find_circle(new_behind, new_parents) is not None
        assert status == (422 if refused else 200), (new_behind, new_parents)
        if not refused:
            behind, parents = new_behind, new_parents
        seen.append(status)
    assert min(seen.count(200), seen.count(422)) > 20


def _hangs_below_itself(parents: dict[str, str]) -> bool:
    for site in parents:
        above = parents.get(site)
        for _ in SITES:
            if above == site:
                return True
            above = parents.get(above) if above else None
    return False
