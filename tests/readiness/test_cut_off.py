"""Lines that are down with something elsewhere are one reason; a line that is known in part is told so everywhere."""

import pytest

from bridgemgr.principal import SYSTEM
from bridgemgr.readiness.reasons import STALE
from bridgemgr.readiness.service import Readiness
from tests.conftest import SettableClock
from tests.readiness.conftest import Api
from tests.readiness.cut_off import HUB, endpoints, uplink_falls
from tests.readiness.test_standing import bridges, put_endpoint
from tests.screen.house import House

BEHIND = ("on-time", "late-one", "silent")


@pytest.fixture
def readiness(house: House, clock: SettableClock) -> Readiness:
    return Readiness(house.database, clock)


async def test_sites_behind_an_uplink_are_one_reason_beside_the_rest(house: House, served_api: Api) -> None:
    await uplink_falls(house, BEHIND)
    found = (await served_api.get("/conferences/hn-01/readiness"))["reasons"]
    down = [each for each in found if each["code"] == "line_down"]
    assert [(each["text"], each["count"]) for each in down] == [(f"line down, behind {HUB} (hub)", 3), ("line down", 1)]
    assert (down[0]["values"]["root"], down[0]["values"]["site"]) == (HUB, "hub")
    assert {each["site"] for each in down[0]["sites"]} == set(BEHIND)
    assert [each["site"] for each in down[1]["sites"]] == ["dark"]


async def test_what_follows_from_the_line_is_not_told_again(house: House, readiness: Readiness) -> None:
    await house.check_in("hn-01", "on-time", count=41)
    await house.check_in("hn-01", "silent", count=400)
    await uplink_falls(house, BEHIND)
    found = await bridges(readiness)
    assert [each.code for each in found["on-time"].reasons] == ["line_down"]
    assert found["on-time"].contradiction is not None, "its cell still shows that both cannot be right"
    assert [each.code for each in found["silent"].reasons] == ["line_down", "contradiction"]
    assert "400" in found["silent"].reasons[1].text


async def test_a_root_is_believed_only_where_it_explains_every_line_that_is_down(
    house: House, readiness: Readiness
) -> None:
    lines = await uplink_falls(house, BEHIND)
    assert {site for site, each in (await bridges(readiness)).items() if each.root} == set(BEHIND)
    await put_endpoint(house, "on-time", "sip:own@10.0.0.1", state="down")
    assert (await bridges(readiness))["on-time"].root is None, "this one fell by itself"
    await lines.rise(0, *await endpoints(house, ["hub"]))
    found = await bridges(readiness)
    assert {each.root for each in found.values()} == {None}, "the uplink is back: what is still down has its own reason"
    assert found["silent"].trouble


async def test_one_site_may_hang_under_an_endpoint_of_the_core(house: House, readiness: Readiness) -> None:
    core = await put_endpoint(house, None, "icmp://10.0.0.254")
    [line] = await endpoints(house, ["silent"])
    async with house.database.transaction() as conn:
        await conn.execute("UPDATE endpoints SET depends_on = $1 WHERE id = $2", core, line)
    lines = await uplink_falls(house, [])
    await lines.fall(-1, core)
    await lines.fall(-0.5, line)
    root = (await bridges(readiness))["silent"].root
    assert root is not None
    assert (root.target, root.site, root.text) == ("icmp://10.0.0.254", "", "icmp://10.0.0.254 (core)")


async def test_a_line_that_is_known_in_part(house: House, readiness: Readiness, clock: SettableClock) -> None:
    await put_endpoint(house, "silent", "icmp://10.0.0.1", state="unknown")
    await put_endpoint(house, "silent", "icmp://10.0.0.2", probed_at=clock.now - STALE * 2)
    bridge = (await bridges(readiness))["silent"]
    assert (bridge.health, bridge.lines, bridge.unknown_lines) == ("up", 3, 2)
    assert [each.code for each in bridge.reasons if each.code == "not_known"] == ["not_known", "not_known"]


async def test_answers_that_are_too_old_make_a_line_unknown(
    house: House, readiness: Readiness, clock: SettableClock
) -> None:
    clock.now += STALE * 2
    view = await readiness.view(SYSTEM, "hn-01")
    states = {bridge.site: bridge.health for bridge in view.bridges}
    assert states["silent"] == "unknown"
    assert states["dark"] == "down", "what was down when somebody last looked is not well for want of a look"
