"""Who is on the rosters of the live conference, and what their bridge reports of each."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from bridgemgr.demo.dice import draw
from bridgemgr.demo.model import Bridge, Conference, Delegate, SiteKind
from bridgemgr.demo.names import person

FEWEST, MOST = 16, 24

# Those who head the place come first; whoever follows holds the last of these.
_TITLES: dict[SiteKind, tuple[str, ...]] = {
    "hall": ("Ủy viên Ban Thường vụ", "Ủy viên Ban Thường vụ", "Giám đốc Sở", "Ủy viên Ban Chấp hành"),
    "district": ("Bí thư", "Chủ tịch UBND", "Phó Bí thư Thường trực", "Phó Chủ tịch UBND", "Trưởng phòng"),
    "commune": (
        *("Bí thư Đảng ủy", "Chủ tịch UBND", "Phó Bí thư Thường trực", "Chủ tịch HĐND", "Phó Chủ tịch UBND"),
        *("Chủ tịch Ủy ban MTTQ", "Trưởng Công an", "Chủ tịch Hội Nông dân", "Chủ tịch Hội Phụ nữ", "Đảng ủy viên"),
    ),
}
_AWAY = ("đi công tác", "nghỉ phép", "nghỉ ốm", "dự họp ở cấp trên")
_CALLED_AWAY = "có việc đột xuất"


@dataclass(frozen=True, slots=True)
class Mark:
    """What a bridge reports of one delegate.

    Attributes:
        delegate: the number on the roster.
        observed_at: with the offset of the city.
        mode: of those who arrive.
        excused, reason: of those who are absent; a reason of those who leave, too.
    """

    delegate: int
    kind: Literal["arrive", "absent", "leave"]
    observed_at: datetime
    mode: Literal["in_person", "online"] | None = None
    excused: bool | None = None
    reason: str | None = None


def roster(site: str, kind: SiteKind, size: int) -> tuple[Delegate, ...]:
    """``size`` delegates whose names follow from the site alone."""
    titles = _TITLES[kind]
    return tuple(
        Delegate(number, person(f"delegate/{site}/{number}"), titles[min(number, len(titles)) - 1])
        for number in range(1, size + 1)
    )


def at_check_in(conference: Conference, bridge: Bridge, checked_in_at: datetime, *, all_come: bool) -> Iterator[Mark]:
    """Of each delegate whether they came, by the time their bridge checks in."""
    for delegate in bridge.roster:
        key = _key(conference, bridge, delegate)
        chance = 100 if all_come else draw(f"{key}/comes", 1, 100)
        observed_at = checked_in_at - timedelta(seconds=draw(f"{key}/before", 20, 100))
        if chance <= 3:
            yield Mark(delegate.number, "absent", observed_at, excused=False)
        elif chance <= 10:
            reason = _AWAY[draw(f"{key}/away", 0, len(_AWAY) - 1)]
            yield Mark(delegate.number, "absent", observed_at, excused=True, reason=reason)
        else:
            mode: Literal["in_person", "online"] = "online" if draw(f"{key}/mode", 1, 8) == 1 else "in_person"
            yield Mark(delegate.number, "arrive", observed_at, mode=mode)


def departures(conference: Conference, bridge: Bridge, came: frozenset[int]) -> Iterator[Mark]:
    """The few of those who came that leave within the first quarter of an hour."""
    for delegate in bridge.roster:
        key = _key(conference, bridge, delegate)
        if delegate.number in came and draw(f"{key}/leaves", 1, 15) == 1:
            left_at = conference.starts_at + timedelta(seconds=draw(f"{key}/left", 30, 900))
            yield Mark(delegate.number, "leave", left_at, reason=_CALLED_AWAY)


def _key(conference: Conference, bridge: Bridge, delegate: Delegate) -> str:
    return f"{conference.code}/{bridge.site}/{delegate.number}"
