"""What stands against a bridge, at the boundaries of every rule."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridgemgr.readiness.model import BridgeView, totals
from bridgemgr.readiness.quorum import Quorum
from bridgemgr.readiness.reasons import (
    REASONS,
    STALE,
    Attested,
    Hours,
    Look,
    Reason,
    Rules,
    Work,
    of_bridge,
    of_endpoint,
)
from bridgemgr.readiness.standing import causes, needed, of_core, standing
from tests.readiness.conftest import at
from tests.screen.test_model import WAITING

START, END = at(1, 0), at(4, 0)
SECOND = timedelta(seconds=1)
FINE = Look("tls://10.0.0.1", "up", True, "ok", 0, False, at(0, 0), "TLSv1.3", "TLS_AES_256_GCM_SHA384", at(23, 0))


def hours(now: datetime, *, live: bool = False, over: bool = False) -> Hours:
    return Hours(now, START, END, live, over)


BEFORE = hours(at(0, 0) - SECOND)  # a second more than an hour before the start
ASKED = hours(at(0, 0))


def codes(found: Sequence[Reason]) -> list[str]:
    return [each.code for each in found]


def against(look: Look, when: Hours = ASKED, rules: Rules | None = None, *, called: bool = False) -> list[str]:
    return codes(list(of_endpoint(look, when, rules or Rules(), called=called)))


@pytest.mark.parametrize(
    ("state", "when", "found"),
    [
        ("waiting", BEFORE, []),
        ("waiting", ASKED, ["no_word"]),
        ("waiting", hours(at(0, 0) - SECOND, live=True), ["no_word"]),  # it was started by hand
        ("waiting", hours(at(0, 30), over=True), []),  # ended before its start: nobody was awaited any more
        ("ready", ASKED, []),
        ("checked_in", ASKED, []),
        ("absent", BEFORE, ["absent"]),  # who said so is known to be away, however early
        ("missing", hours(START), ["missing"]),
        ("missing", hours(END, over=True), ["missing"]),
        ("checked_in", hours(END, over=True), []),
    ],
)
def test_a_word_is_asked_for_from_an_hour_before_the_start(state: Any, when: Hours, found: list[str]) -> None:
    assert codes(of_bridge(state, when, Rules())) == found


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({}, []),
        ({"state": "down", "ready": False}, ["line_down"]),
        ({"state": "down", "ready": False, "flapping": True}, ["flapping"]),
        ({"state": "unknown", "ready": None}, ["not_known"]),
        ({"state": "unknown", "ready": None, "probed_at": None}, ["not_known"]),
        ({"ready": False, "reason": "status"}, ["not_ready"]),
        ({"ready": None}, []),  # nothing was said of it: a ping knows no more
        ({"ready": False, "reason": "busy"}, ["not_ready"]),
    ],
)
def test_what_the_probes_say(change: dict[str, Any], found: list[str]) -> None:
    assert against(FINE._replace(**change)) == found


@pytest.mark.parametrize(
    ("when", "called", "found"),
    [
        (ASKED, False, ["not_ready"]),  # somebody else is on the line
        (ASKED, True, []),  # the site says that it is ready: the call is ours
        (hours(START - SECOND), False, ["not_ready"]),
        (hours(START), False, []),  # its own conference has begun
        (hours(START - SECOND, live=True), False, []),  # by hand, before its time
    ],
)
def test_a_codec_in_its_own_conference_is_busy(when: Hours, called: bool, found: list[str]) -> None:
    busy = FINE._replace(ready=False, reason="busy", probed_at=when.now)
    assert against(busy, when, called=called) == found
    lost = busy._replace(reason="timeout", failures=1)
    assert against(lost, when, called=called) == found, "one lost probe makes no busy codec a broken one"
    broken = busy._replace(reason="status", failures=0)
    assert against(broken, when, called=called) == ["not_ready"], "a 503 is a 503 at any time"


@pytest.mark.parametrize(
    ("age", "found"), [(STALE, []), (STALE + SECOND, ["not_known"])], ids=["just fresh", "too old"]
)
def test_an_answer_that_is_too_old_tells_nothing(age: timedelta, found: list[str]) -> None:
    assert against(FINE._replace(probed_at=ASKED.now - age)) == found
    down = FINE._replace(state="down", probed_at=ASKED.now - age)
    assert against(down) == ["line_down"], "what was down when somebody last looked is not well for want of a look"


@pytest.mark.parametrize(
    ("expires", "found"),
    [
        (END, []),
        (END - SECOND, ["certificate_expires"]),
        (ASKED.now, ["certificate_expires"]),  # RFC 5280 section 4.1.2.5: valid through notAfter
        (ASKED.now - SECOND, ["certificate_expired"]),
        (None, []),
    ],
)
def test_a_certificate_is_judged_by_the_end_of_this_conference(expires: datetime | None, found: list[str]) -> None:
    assert against(FINE._replace(certificate_not_after=expires)) == found


def test_a_conference_that_overruns_asks_for_a_certificate_of_now() -> None:
    expires = FINE._replace(certificate_not_after=END + SECOND, probed_at=END)
    assert against(expires, hours(END, live=True)) == []
    assert against(expires, hours(END + 2 * SECOND, live=True)) == ["certificate_expired"]


def test_an_expired_certificate_is_told_once() -> None:
    expired = FINE._replace(ready=False, reason="certificate", certificate_not_after=ASKED.now - SECOND)
    assert against(expired) == ["certificate_expired"]
    early = expired._replace(certificate_not_after=at(23, 0))  # not valid before tomorrow, as its prober found
    assert against(early) == ["not_ready"]


def test_tls_is_held_against_the_list() -> None:
    old = FINE._replace(tls_version="TLSv1.1", tls_cipher="ECDHE-RSA-AES128-SHA")
    assert against(old) == ["tls_version"]
    assert against(old, rules=Rules(tls_versions=("TLSv1.1",))) == []
    only = Rules(tls_ciphers=("TLS_AES_128_GCM_SHA256",))
    assert against(FINE, rules=only) == ["tls_cipher"]
    assert against(FINE, rules=Rules(tls_ciphers=("TLS_AES_256_GCM_SHA384",))) == []
    assert against(old, rules=only) == ["tls_version"], "one is enough to act upon"
    assert against(FINE._replace(tls_version=None, tls_cipher=None), rules=only) == [], "no TLS, nothing to judge"


def test_lines_count_at_any_time_before_the_end_and_not_after() -> None:
    down = FINE._replace(state="down")
    work = Work(at(2, 0), at(3, 0), "new router")
    said = Attested(works=False, note="rang", author="user:an", made_at=at(0, 0), until=at(9, 0))
    for when in (BEFORE, ASKED, hours(START, live=True)):
        found = of_bridge("checked_in", when, Rules(), [down], work, said, "odd")
        assert codes(found) == ["line_down", "attested_failure", "maintenance", "contradiction"]
    assert codes(of_bridge("checked_in", hours(END, over=True), Rules(), [down], work, said, "odd")) == [
        "contradiction"
    ]
    assert of_bridge("checked_in", ASKED, Rules(), attested=replace(said, works=True)) == ()


def test_the_hours_in_which_announced_work_is_in_the_way() -> None:
    assert hours(at(0, 0) - timedelta(days=3)).window == (at(0, 0), END)
    assert hours(at(2, 0), live=True).window == (at(2, 0), END)
    early = at(0, 0) - timedelta(hours=2)
    assert hours(early, live=True).window == (early, END), "it was started by hand"
    assert hours(END + SECOND, live=True).window == (END + SECOND, END + SECOND)


def test_every_reason_has_its_text() -> None:
    values = {name: "x" for name in ["target", "author", "note", "version", "cipher", "reason", "tests", "text"]}
    moments = {name: at(1, 2) for name in ("at", "begin", "end")}
    for code in REASONS:
        assert "{" not in Reason(code, values | moments).text


# The one number -------------------------------------------------------------------------------------------


def bridge(key: int, **change: Any) -> BridgeView:
    return replace(WAITING, **{"bridge_id": key, "site": f"s{key}", "state": "ready", **change})


NO = (Reason("no_word"),)


def test_the_number_is_the_share_of_required_bridges_with_nothing_against_them() -> None:
    bridges = [bridge(1), bridge(2, reasons=NO), bridge(3), bridge(4), bridge(5, required=False)]
    assert totals(bridges, None, None).readiness == 0.75
    assert totals([bridge(1, required=False)], None, None).readiness is None
    assert totals([], 0.5, 0.5).readiness is None


@pytest.mark.parametrize(
    ("asked", "reach", "ratio"),
    [
        (0.5, (90, 180), 0.5),  # in reach, just so: the share stands
        (0.51, (90, 180), 0.5 / 0.51),
        (1.0, (90, 180), 0.5),
        (0.0, (90, 180), 0.5),
    ],
)
def test_a_quorum_out_of_reach_caps_it(asked: float, reach: tuple[int, int], ratio: float) -> None:
    # Two of four are ready; of the others one is excused and one missing.
    gone = [bridge(3, state="absent", reasons=NO), bridge(4, state="missing", reasons=NO)]
    found = totals([bridge(1), bridge(2), *gone], asked, None)
    assert found.reach == Quorum(asked, *reach)
    assert found.readiness == pytest.approx(min(0.5, ratio))
    alone = totals([bridge(1), bridge(2), *(replace(each, reasons=()) for each in gone)], asked, None)
    assert alone.readiness == pytest.approx(min(1.0, ratio if asked > 0.5 else 1.0))


@pytest.mark.parametrize(
    ("change", "come", "bridges"),
    [
        ({"state": "waiting"}, 45, 1),
        ({"state": "absent"}, 0, 0),
        ({"state": "missing"}, 0, 0),
        ({"state": "ready", "health": "down"}, 0, 0),
        ({"state": "ready", "health": "unknown"}, 45, 1),
        ({"state": "ready", "health": "attested"}, 45, 1),
        ({"state": "checked_in", "present": 20}, 45, 1),
        ({"state": "checked_in", "present": 60}, 60, 1),
        ({"state": "checked_in", "present": 20, "health": "down"}, 20, 1),  # who is there stays there
        ({"state": "checked_in", "present": 20, "ended_at": at(2, 0)}, 20, 1),
        ({"state": "ready", "expected": 0}, 0, 1),
        ({"state": "ready", "required": False}, 45, 0),
    ],
)
def test_who_can_still_come(change: dict[str, Any], come: int, bridges: int) -> None:
    other = bridge(9, state="absent")
    found = totals([bridge(1, **change), other], 0.9, 0.9)
    assert found.reach is not None and found.reach.present == come
    assert found.bridge_reach is not None and found.bridge_reach.present == bridges


@given(st.floats(0, 1), st.integers(1, 100_000))
def test_the_least_number_that_reaches_a_quorum(ratio: float, expected: int) -> None:
    least = needed(Quorum(ratio, 0, expected))
    assert Quorum(ratio, least, expected).reached
    assert least == 0 or not Quorum(ratio, least - 1, expected).reached


def test_causes_gather_three_hundred_sites_in_one() -> None:
    down = Reason("line_down", {"target": "icmp://10.0.0.1"})
    twice = (down, Reason("line_down", {"target": "icmp://10.0.0.2"}), *NO)
    found = causes([bridge(1, reasons=twice), *(bridge(key, reasons=(down,)) for key in range(2, 301)), bridge(400)])
    assert [(cause.code, len(cause.bridges)) for cause in found] == [("line_down", 300), ("no_word", 1)]
    assert [len(reasons) for _, reasons in found[0].bridges] == [2] + [1] * 299


def test_what_was_looked_at() -> None:
    down = (Reason("line_down", {"target": "x"}),)
    bridges = [
        bridge(1, reasons=(Reason("certificate_expires", {"target": "x", "at": END}),), certified=True, encrypted=True),
        bridge(2, reasons=down, health="down", certified=True),
        bridge(3, reasons=NO, health="not_observable"),
        bridge(4, required=False, health="down"),
    ]
    sums = totals(bridges, 0.5, None)
    found = standing(sums, bridges, (), ASKED)
    assert [(each.check, each.passed, each.of) for each in found.checks] == [
        ("check_ins", 2, 3),
        ("endpoints", 1, 2),
        ("certificates", 1, 2),
        ("tls", 1, 1),
        ("quorum", 90, 90),
    ]
    assert found.ratio == sums.readiness == 0
    assert found.shortfalls == ()
    assert "check_ins" not in [each.check for each in standing(sums, bridges, (), BEFORE).checks]
    assert [each.check for each in standing(sums, bridges, (), hours(END, over=True)).checks] == ["check_ins", "quorum"]


def test_how_many_are_missing_to_the_quorum() -> None:
    bridges = [bridge(1), bridge(2, state="absent"), bridge(3, state="absent")]
    [delegates, places] = standing(totals(bridges, 0.6667, 0.5), bridges, (), ASKED).shortfalls
    assert (delegates.counted, delegates.missing) == ("delegates", 46)  # 91 of 135
    assert (places.counted, places.missing) == ("bridges", 1)
    assert delegates.text == "quorum of delegates out of reach: 45 can still come, 91 are needed"


def test_the_core_concerns_the_conference_itself() -> None:
    work = Work(at(2, 0), at(3, 0), "new disks")
    looks = [(FINE, work), (FINE._replace(state="down", target="sip:mcu@10.0.0.9"), None)]
    assert [(each.code, each.values["target"]) for each in of_core(looks, ASKED, Rules())] == [
        ("line_down", "sip:mcu@10.0.0.9"),
        ("maintenance", "tls://10.0.0.1"),
    ]
    assert of_core(looks, hours(END, over=True), Rules()) == ()
