"""The agent's rules, without a line."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from bridgemgr.agent import model
from bridgemgr.agent.events import choose_conference, compose
from bridgemgr.agent.model import Entry, Kept, Line, Rejected
from bridgemgr.errors import Invalid

NOW = datetime(2026, 3, 2, 7, 30, tzinfo=UTC).astimezone()
SPELT_APART = " Hoàng o\u0302\u0301m "


def test_pauses_grow_to_a_minute_and_are_spread_over_all_of_it():
    for failures, longest in ((1, 1), (2, 2), (4, 8), (7, 60), (1_000_000, 60)):
        pauses = [model.pause(failures, Random(seed)) for seed in range(500)]
        assert 0 <= min(pauses) < longest * 0.02
        assert longest * 0.98 < max(pauses) <= longest


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 0),
        ("", 0),
        ("2", 2),
        (" 30 ", 30),
        ("999999", 3600),
        ("-5", 0),
        ("1.5", 0),
        ("²", 0),
        ("9" * 5000, 0),
        ("Wed, 21 Oct 2026 07:28:00 GMT", 0),
    ],
)
def test_the_pause_that_the_server_asks_for(header, seconds):
    assert model.retry_after(header) == seconds


def test_a_slice_is_at_most_20_kb_and_never_empty():
    entries = [Entry(number, str(number), b"x" * 900) for number in range(100)]
    chosen = model.cut(entries, 200)
    assert len(model.request_body(chosen)) <= 20_000 < len(model.request_body(entries[: len(chosen) + 1]))
    assert model.cut(entries, 3) == entries[:3]
    big = Entry(1, "1", b"x" * 30_000)
    assert model.cut([big, *entries], 200) == [big]
    assert model.cut([], 200) == []


def test_jitter_is_the_running_estimate_of_rfc_3550():
    line = model.measured(Line(), [0.1, 0.116, 0.1])
    first = 0.016 / 16
    assert line.jitter == pytest.approx(first + (0.016 - first) / 16)
    assert (line.round_trip, line.loss) == (0.1, 0)
    later = model.measured(line, [0.2, None, 0.2])
    assert later.jitter == pytest.approx(line.jitter * 15 / 16)
    assert later.loss == pytest.approx(1 / 3)


def test_a_line_without_answers():
    assert model.measured(Line(0.1, 0.01, 0), [None, None]) == Line(None, 0.01, 1)


def test_the_clock_s_offset_is_ours_minus_the_server_s():
    assert model.clock_offset(NOW, 0.2, NOW + timedelta(seconds=0.1)) == 0
    assert model.clock_offset(NOW, 0.2, NOW - timedelta(seconds=59.9)) == 60


@pytest.mark.parametrize("status", [400, 403, 404, 409, 413, 422])
def test_a_final_word_about_one_event(status):
    item = {"status": status, "error": {"detail": "Why."}}
    assert model.settle(Entry(1, "e", b"{}"), item, "x05", {}) == Rejected(status, "Why.")


@pytest.mark.parametrize("status", [401, 408, 429, 500, 503, 302, None, "400", True])
def test_everything_else_is_sent_again(status):
    kept = model.settle(Entry(1, "e", b"{}"), {"status": status}, "x05", {})
    assert isinstance(kept, Kept)
    assert not kept.alarm


KNOWN = [
    {"code": "a", "starts_at": "2026-03-02T08:00:00+00:00", "ends_at": "2026-03-02T10:00:00+00:00"},
    {"code": "b", "starts_at": "2026-03-02T10:30:00Z", "ends_at": "2026-03-02T12:00:00Z"},
]


@pytest.mark.parametrize(("minutes", "code"), [(-30, "a"), (0, "a"), (119, "a"), (215, "b"), (330, "b")])
def test_the_conference_that_takes_place(minutes, code):
    assert choose_conference(KNOWN, NOW + timedelta(minutes=minutes)) == code


@pytest.mark.parametrize(("minutes", "said"), [(-31, "Told of were: a, b."), (150, "Several"), (331, "No conference")])
def test_a_conference_must_be_named_where_it_is_not_clear(minutes, said):
    with pytest.raises(Invalid, match="--conference CODE") as caught:
        choose_conference(KNOWN, NOW + timedelta(minutes=minutes))
    assert said in caught.value.message


def test_an_event_keeps_the_offset_of_its_place_and_is_normalised():
    at = datetime.fromisoformat("2026-03-02T14:29:00+07:00")
    event = compose(
        {
            "conference": "c1",
            "kind": "absent",
            "reason": " Ho\u00e0ng o\u0302\u0301m ",
            "observed_at": at,
            "note": None,
        },
        "X05",
        NOW,
    )
    assert event["observed_at"] == "2026-03-02T14:29:00+07:00"
    assert event["reason"] == "Hoàng ốm"
    assert event["site"] == "X05"
    assert "note" not in event


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"kind": "party"}, "must be one of 'ready'"),
        ({"kind": "headcount"}, "headcount is required"),
        ({"kind": "headcount", "headcount": -1}, "must be at least 0"),
        ({"kind": "headcount", "headcount": 10**30}, "too large"),
        ({"kind": "ready", "conference": "no code"}, "is no code"),
        ({"kind": "ready", "observed_at": NOW + timedelta(minutes=6)}, "in the future"),
        ({"kind": "ready", "note": "\ud800"}, ""),
    ],
)
def test_what_the_server_would_not_take_is_refused_at_once(fields, said):
    with pytest.raises(Invalid) as caught:
        compose({"conference": "c1", **fields}, "x05", NOW)
    assert said in caught.value.message
