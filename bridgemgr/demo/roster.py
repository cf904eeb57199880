"""Who is on the rosters of the live conference, and what their bridge reports of each."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from bridgemgr.demo.dice import draw
from bridgemgr.demo.model import Bridge, Conference, Delegate, SiteKind
from bridgemgr.demo.names import person

# How many of a bridge's delegates are named.
_FEWEST, _MOST = 16, 24

Mode = Literal["in_person", "online"]

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
    mode: Mode | None = None
    excused: bool | None = None
    reason: str | None = None


def roster(site: str, kind: SiteKind, size: int | None = None) -> tuple[Delegate, ...]:
    """The roster of a site, about twenty people or as many as asked for; the names follow from the site alone."""
    titles = _TITLES[kind]
    size = size or draw(f"delegates/{site}", _FEWEST, _MOST)
    return tuple(
        Delegate(number, person(f"delegate/{site}/{number}"), titles[min(number, len(titles)) - 1])
        for number in range(1, size + 1)
    )


def at_check_in(conference: Conference, bridge: Bridge, checked_in_at: datetime, vacant: int) -> Iterator[Mark]:
    """Of each delegate whether they came, by the time their bridge checks in.

    Args:
        vacant: how many may be absent at most, so that the names fit the headcount.
    """
    for delegate in bridge.roster:
        key = _key(conference, bridge, delegate.number)
        observed_at = checked_in_at - timedelta(seconds=draw(f"{key}/before", 20, 100))
        if vacant and draw(f"{key}/comes", 1, 6) == 1:
            vacant -= 1
            yield _absent(key, delegate.number, observed_at)
        else:
            mode: Mode = "online" if draw(f"{key}/mode", 1, 8) == 1 else "in_person"
            yield Mark(delegate.number, "arrive", observed_at, mode=mode)


def _absent(key: str, number: int, observed_at: datetime) -> Mark:
    reason = draw(f"{key}/away", 0, len(_AWAY))
    if reason == len(_AWAY):
        return Mark(number, "absent", observed_at, excused=False)
    return Mark(number, "absent", observed_at, excused=True, reason=_AWAY[reason])


def departures(conference: Conference, bridge: Bridge, marks: Iterable[Mark]) -> list[Mark]:
    """The few of those who came that leave within the first quarter of an hour, in that order."""
    leaving = []
    for mark in marks:
        key = _key(conference, bridge, mark.delegate)
        if mark.kind == "arrive" and draw(f"{key}/leaves", 1, 15) == 1:
            left_at = conference.starts_at + timedelta(seconds=draw(f"{key}/left", 30, 900))
            leaving.append(Mark(mark.delegate, "leave", left_at, reason=_CALLED_AWAY))
    return sorted(leaving, key=lambda mark: mark.observed_at)


def _key(conference: Conference, bridge: Bridge, number: int) -> str:
    return f"{conference.code}/{bridge.site}/{number}"
