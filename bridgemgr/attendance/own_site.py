"""What a site is shown of itself: its conferences, its rosters, what the centre holds of its check-ins."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, cast

from bridgemgr.accounts.model import DEFAULT_ZONE
from bridgemgr.attendance import own_site_store, store
from bridgemgr.attendance.fold import Event, Presence, roll
from bridgemgr.attendance.line_told import Told, last_told
from bridgemgr.db import Database
from bridgemgr.errors import Forbidden, Unauthenticated
from bridgemgr.principal import Principal
from bridgemgr.text import first_number
from bridgemgr.web import Base

_AHEAD = timedelta(days=7)
_BEHIND = timedelta(hours=24)
_HELD_KEPT = timedelta(days=30)
_HELD_MAX = 200

_DECISIONS: Mapping[str | None, Literal["held", "admitted", "dismissed"]] = {
    None: "held",
    "admit": "admitted",
    "dismiss": "dismissed",
}


class HelpOut(Base):
    """Whom to call; ``dial`` is the first number as a telephone dials it (RFC 3966), empty where there is none."""

    office: str
    contact: str
    phone: str
    dial: str


class OwnDelegateOut(Base):
    """A person on the site's roster; ``state`` and the rest are null while nobody spoke of them."""

    number: int
    name: str
    title: str
    state: Literal["present", "left", "absent"] | None = None
    mode: str | None = None
    excused: bool | None = None
    reason: str | None = None


class OwnAttendanceOut(Base):
    """What follows from the site's check-ins; times are as observed."""

    ready_at: datetime | None
    checked_in_at: datetime | None
    headcount: int | None
    present: int | None
    absent_at: datetime | None
    ended_at: datetime | None


class OwnToldOut(Base):
    """Whether a part of the line works, as was said last, and when that was observed."""

    works: bool
    at: datetime


class OwnLineTestOut(Base):
    """The line test before a conference; each part is null while nobody spoke of it.

    Attributes:
        asked_from: from when on until the start the centre asks for it, anew with each of its campaigns; what was
            said before belongs to an earlier one. Null where it asks for none.
        backup: the second line.
    """

    asked_from: datetime | None
    picture: OwnToldOut | None = None
    sound: OwnToldOut | None = None
    backup: OwnToldOut | None = None


class OwnConferenceOut(Base):
    """A conference in which the site has a bridge.

    Attributes:
        ends_at: when it is to end; of one that is over, when it did.
        time_zone: the IANA name of the zone in which the site reads times.
        expected: delegates expected at this site.
        help: whom to call, the holding office first.
        roster: empty where names are not kept.
    """

    code: str
    title: str
    status: str
    rehearsal: bool
    starts_at: datetime
    ends_at: datetime
    time_zone: str
    expected: int
    names_kept: bool
    help: list[HelpOut]
    attendance: OwnAttendanceOut
    line_test: OwnLineTestOut
    roster: list[OwnDelegateOut]


class OwnHeldOut(Base):
    """A check-in that was held, and what an operator decided of it since; ``reason`` is theirs."""

    event_id: str
    conference: str
    kind: str
    received_at: datetime
    verdict: Literal["held", "admitted", "dismissed"]
    reason: str | None
    decided_at: datetime | None


class SiteNameOut(Base):
    """The site that the asking device speaks for."""

    code: str
    name: str
    time_zone: str


class OwnSiteOut(Base):
    """A site's own view; ``now`` is the service's clock, so that a device can tell that its own is off."""

    site: SiteNameOut
    now: datetime
    conferences: list[OwnConferenceOut]
    held: list[OwnHeldOut]


class OwnSite:
    """The use case of a site's own view.

    Args:
        line_tests_min: how long before a start its line tests open, the earliest first, unless it has its own list.
    """

    def __init__(
        self, database: Database, clock: Callable[[], datetime], line_tests_min: Sequence[int] = (1440,)
    ) -> None:
        self._database = database
        self._clock = clock
        self._line_tests_min = line_tests_min

    async def show(self, principal: Principal) -> OwnSiteOut:
        """What the asking device's site takes part in: live, within 7 days, or ended less than 24 hours ago.

        Raises:
            Forbidden: the asker is a person or a program, not a site's device.
            Unauthenticated: the site was deleted since the credential was recognised.
        """
        if principal.site_id is None or principal.site is None:
            raise Forbidden(
                "Only a site's device has a site of its own. Use its credential, or read"
                " /api/v1/conferences/{code}/attendance."
            )
        now = self._clock()
        async with self._database.acquire() as conn:
            seats = await own_site_store.seats(conn, principal.site_id, now - _BEHIND, now + _AHEAD)
            spoken = [seat["bridge_id"] for seat in seats if seat["numbers"] or seat["tested_at"]]
            events = await store.accepted_events(conn, spoken) if spoken else {}
            held = await own_site_store.held(conn, principal.site, now - _HELD_KEPT, _HELD_MAX)
        if not seats:
            raise Unauthenticated("This credential is not valid any more: its site was deleted.")
        return OwnSiteOut(
            site=_site(seats),
            now=now,
            conferences=[
                _conference(seat, events.get(seat["bridge_id"], ()), self._line_tests_min)
                for seat in seats
                if seat["code"]
            ],
            held=[_held(row) for row in held],
        )


def _site(seats: Sequence[Any]) -> SiteNameOut:
    first = seats[0]
    return SiteNameOut(code=first["site"], name=first["name"], time_zone=_zone(first))


def _zone(seat: Any) -> str:
    return str(seat["site_zone"] or seat["time_zone"] or DEFAULT_ZONE)


def _conference(seat: Any, events: Sequence[Event], line_tests_min: Sequence[int]) -> OwnConferenceOut:
    presences = roll(events)
    named = zip(seat["numbers"] or (), seat["names"] or (), seat["titles"] or (), strict=True)
    help_lines = zip(seat["offices"], seat["contacts"], seat["phones"], strict=True)
    plain = "code title status rehearsal starts_at ends_at time_zone expected names_kept"
    return OwnConferenceOut(
        **{name: seat[name] for name in plain.split()},
        help=[
            HelpOut(office=office, contact=contact, phone=phone, dial=first_number(phone))
            for office, contact, phone in help_lines
        ],
        attendance=OwnAttendanceOut(**{name: seat[name] for name in OwnAttendanceOut.model_fields}),
        line_test=_line_test(last_told(events), _asked_from(seat, line_tests_min)),
        roster=[_delegate(number, name, title, presences.get(number)) for number, name, title in named],
    )


def _line_test(told: Mapping[str, Told], asked_from: datetime | None) -> OwnLineTestOut:
    said = {name: OwnToldOut(works=word.works, at=word.observed_at) for name, word in told.items()}
    return OwnLineTestOut(asked_from=asked_from, **said)


def _asked_from(seat: Any, line_tests_min: Sequence[int]) -> datetime | None:
    """When the open campaign began, or else the first one will, so that a device that is offline by then knows."""
    if seat["from_at"] is not None:
        return cast(datetime, seat["from_at"])
    planned = line_tests_min if seat["plan"] is None else seat["plan"]
    return seat["starts_at"] - timedelta(minutes=planned[0]) if planned else None


def _delegate(number: int, name: str, title: str, presence: Presence | None) -> OwnDelegateOut:
    if presence is None:
        return OwnDelegateOut(number=number, name=name, title=title)
    return OwnDelegateOut(
        number=number,
        name=name,
        title=title,
        state=presence.state,
        mode=presence.mode,
        excused=presence.excused,
        reason=presence.reason,
    )


def _held(row: Any) -> OwnHeldOut:
    plain = "conference kind received_at reason decided_at"
    return OwnHeldOut(
        event_id=str(row["event_id"]),
        **{name: row[name] for name in plain.split()},
        verdict=_DECISIONS[row["decision"]],
    )
