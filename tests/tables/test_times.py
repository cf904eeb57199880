"""Times as people write them, and the hours that a zone skips or repeats."""

from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridgemgr.errors import Invalid, NotFound
from bridgemgr.tables import TABLES, localise, parse_time, read_table
from bridgemgr.tables.times import parse_date
from bridgemgr.text import Unfit
from tests.tables.files import csv_file, problems, values

HANOI = ZoneInfo("Asia/Ho_Chi_Minh")
BERLIN = ZoneInfo("Europe/Berlin")


def naive(*parts: int) -> datetime:
    return datetime(*parts)  # noqa: DTZ001 - what a cell without a zone says


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("05/06/2026", naive(2026, 6, 5)),
        ("5/6/2026 7:30", naive(2026, 6, 5, 7, 30)),
        ("05-06-2026 07:30", naive(2026, 6, 5, 7, 30)),
        ("05.06.2026, 07:30:15", naive(2026, 6, 5, 7, 30, 15)),
        ("07:30 05/06/2026", naive(2026, 6, 5, 7, 30)),
        ("7h30 5/6/2026", naive(2026, 6, 5, 7, 30)),
        ("2026-06-05", naive(2026, 6, 5)),
        ("2026-06-05 07:30", naive(2026, 6, 5, 7, 30)),
        ("2026-06-05T07:30:15.25", naive(2026, 6, 5, 7, 30, 15, 250_000)),
        ("2026-06-05T07:30Z", datetime(2026, 6, 5, 7, 30, tzinfo=UTC)),
        ("2026-06-05T07:30+07:00", datetime(2026, 6, 5, 0, 30, tzinfo=UTC)),
        ("2026-06-05 07:30:00 -0330", datetime(2026, 6, 5, 11, 0, tzinfo=UTC)),
        ("05/06/2026 07:30+07:00", datetime(2026, 6, 5, 0, 30, tzinfo=UTC)),
    ],
)
def test_accepted_forms(written: str, meant: datetime) -> None:
    found = parse_time(written)
    assert (found, found.tzinfo) == (meant, meant.tzinfo)


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("06/25/2026", "has the month 25: the day comes before the month"),
        ("31/02/2026", "is no day of the calendar"),
        ("05/06/26", "is no time"),
        ("05/06-2026", "is no time"),
        ("05/06/2026 25:00", "has no such hour"),
        ("05/06/2026 07:60", "has no such hour"),
        ("2026-06-05T07:30+15:00", "has the offset +15:00, which no place has"),
        ("0001-01-01T00:00+07:00", "is no day of the calendar"),
        ("tomorrow", "is no time: write dd/mm/yyyy HH:MM or yyyy-mm-dd HH:MM"),
        ("٠٥/٠٦/٢٠٢٦", "is no time"),
        ("07:30", "is no time"),
    ],
)
def test_refused_forms(written: str, reason: str) -> None:
    with pytest.raises(Unfit) as caught:
        parse_time(written)
    assert str(caught.value).startswith(reason)


def test_dates() -> None:
    assert parse_date("05/06/2026") == parse_date("2026-6-5") == date(2026, 6, 5)
    with pytest.raises(Unfit, match="is no date"):
        parse_date("05/06/2026 07:30")


# Offsets of whole minutes, up to 14 hours, are what ISO 8601 writes and parse_time takes. Clocks kept others
# (Manila was at -15:56 once, Monrovia at -00:44:30 until 1972), and which ones is a matter of the zone database.
@given(st.datetimes(min_value=naive(1973, 1, 1), max_value=naive(9999, 12, 30), timezones=st.timezones()))
def test_what_iso_writes_is_read_back(moment: datetime) -> None:
    assert parse_time(moment.isoformat()) == moment.astimezone(UTC)


def test_local_times_in_their_zone() -> None:
    assert localise(naive(2026, 6, 5, 7, 30), HANOI) == datetime(2026, 6, 5, 0, 30, tzinfo=UTC)
    assert localise(datetime(2026, 6, 5, 7, 30, tzinfo=UTC), HANOI) == datetime(2026, 6, 5, 7, 30, tzinfo=UTC)


def test_hours_that_clocks_skip_or_repeat() -> None:
    with pytest.raises(Invalid) as caught:
        localise(naive(2026, 3, 29, 2, 30), BERLIN)
    assert caught.value.message == (
        "29/03/2026 02:30 does not exist in Europe/Berlin, where clocks are put forward over it: correct the time."
    )
    with pytest.raises(Invalid, match=r"^25/10/2026 02:30 happens twice in Europe/Berlin"):
        localise(naive(2026, 10, 25, 2, 30), BERLIN)
    assert localise(naive(2026, 3, 29, 3, 0), BERLIN) == datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
    assert localise(naive(2026, 10, 25, 3, 0), BERLIN) == datetime(2026, 10, 25, 2, 0, tzinfo=UTC)


@pytest.mark.parametrize("text", ["0001-01-01T00:00+07:00", "9999-12-31T23:59-12:00", "0001-01-01T00:00"])
def test_a_moment_beyond_the_calendar_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="is no time in Asia/Ho_Chi_Minh"):
        localise(datetime.fromisoformat(text), HANOI)


@given(st.datetimes(), st.timezones())
def test_localising_keeps_the_clock_or_says_why_not(moment: datetime, zone: ZoneInfo) -> None:
    try:
        found = localise(moment, zone)
    except Invalid:
        return
    assert found.astimezone(zone).replace(tzinfo=None) == moment


CONFERENCES = TABLES["conferences"]
ROWS = (
    "mã,cơ quan,tiêu đề,bắt đầu,kết thúc\n"
    "HN-1,ubnd,Họp,05/06/2026 07:30,2026-06-05T09:00+07:00\n"
    "HN-2,berlin,Họp,29/03/2026 02:30,29/03/2026 09:00\n"
    "HN-3,nobody,Họp,05/06/2026 07:30,05/06/2026 09:00\n"
)


def zone_of(row: object) -> ZoneInfo:
    assert isinstance(row, dict)
    if row["office"] == "nobody":
        raise NotFound("There is no office nobody.")
    return {"ubnd": HANOI, "berlin": BERLIN}[row["office"]]


def test_times_are_taken_in_the_zone_of_their_office(tmp_path: Path) -> None:
    table = read_table(csv_file(tmp_path, ROWS, "c.csv"), CONFERENCES, zone=zone_of)
    (row,) = values(table)
    assert row[3:5] == (datetime(2026, 6, 5, 0, 30, tzinfo=UTC), datetime(2026, 6, 5, 2, 0, tzinfo=UTC))
    assert problems(table) == [
        "c.csv:3: column starts_at (bắt đầu): 29/03/2026 02:30 does not exist in Europe/Berlin, "
        "where clocks are put forward over it: correct the time.",
        "c.csv:4: column starts_at (bắt đầu): There is no office nobody.",
    ]


def test_times_without_a_zone_stay_naive_until_it_is_known(tmp_path: Path) -> None:
    for zone in (None, lambda row: None):
        first, *_ = values(read_table(csv_file(tmp_path, ROWS), CONFERENCES, zone=zone))
        assert first[3] == naive(2026, 6, 5, 7, 30)
        assert first[4] == datetime(2026, 6, 5, 2, 0, tzinfo=UTC)
    first, *_ = values(read_table(csv_file(tmp_path, ROWS), CONFERENCES, zone=HANOI))
    assert first[3] == datetime(2026, 6, 5, 0, 30, tzinfo=UTC)
