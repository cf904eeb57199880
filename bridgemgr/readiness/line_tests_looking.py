"""Reads a line test: its conference, its campaigns, and what is known of each bridge. Changes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bridgemgr.db import Connection
from bridgemgr.errors import NotFound
from bridgemgr.readiness import line_tests_signing_store as signing_store
from bridgemgr.readiness import line_tests_store as store
from bridgemgr.readiness.line_tests_cells import LineCell
from bridgemgr.readiness.line_tests_course import Campaign, Planned, State, Timing, current, planned, state
from bridgemgr.readiness.line_tests_model import Row, row
from bridgemgr.readiness.model import line


@dataclass(frozen=True, slots=True)
class Course:
    """A conference's line tests: those that were opened, in that order, and those that are to be.

    Attributes:
        own: whether the conference has a list of its own; ``plan_version`` counts its changes, 0 without one.
    """

    conference_id: int
    code: str
    office: str
    timing: Timing
    own: bool
    plan_version: int
    campaigns: tuple[Campaign, ...]
    planned: tuple[Planned, ...]
    now: datetime

    def state(self, campaign: Campaign) -> State:
        """How far one of its campaigns has come."""
        return state(campaign, self.timing, self.campaigns, self.now)

    @property
    def every(self) -> list[Campaign | Planned]:
        """All of them in the order of their moments, whenever they were opened."""
        both: tuple[Campaign | Planned, ...] = (*self.campaigns, *self.planned)
        return sorted(both, key=lambda each: (each.due_at, each.round))

    @property
    def current(self) -> Campaign | None:
        """The one under way."""
        return current(self.timing, self.campaigns, self.now)

    def find(self, name: str) -> Campaign | Planned:
        """A campaign by its name, or ``current``; NotFound where there is none."""
        if name == "current":
            if self.current is None:
                raise NotFound(f"No line test of {self.code} is under way now.")
            return self.current
        for each in self.every:
            if each.name == name:
                return each
        raise NotFound(f"The conference {self.code} has no line test {name[:64]}.")


async def course(
    conn: Connection, conference_id: int, default: Sequence[int], now: datetime, *, lock: bool = False
) -> Course | None:
    """A conference's line tests; None where the conference is gone.

    Args:
        default: the moments where it has no list of its own, minutes before its start.
        lock: keep them from changing until the transaction ends.
    """
    found = await store.conference(conn, conference_id, lock=lock)
    if found is None:
        return None
    opened = await store.campaigns(conn, conference_id)
    timing = store.timing(found, default)
    return Course(
        conference_id=found["id"],
        code=found["code"],
        office=found["office"],
        timing=timing,
        own=found["before_min"] is not None,
        plan_version=found["plan_version"],
        campaigns=tuple(opened),
        planned=tuple(planned(timing, opened, now)),
        now=now,
    )


async def rows(conn: Connection, of: Course, campaign: Campaign, bridge_ids: Sequence[int] | None = None) -> list[Row]:
    """What a campaign knows of every bridge, or of the named ones; sites in Vietnamese order.

    Lines are those of now while it is open; afterwards those that were last written down.
    """
    seats = await store.seats(conn, of.conference_id, bridge_ids, campaign.closed_at or of.now)
    site_ids = [seat["site_id"] for seat in seats]
    ids = [seat["bridge_id"] for seat in seats]
    endpoints = await store.endpoints(conn, site_ids)
    contacts = await store.contacts(conn, site_ids)
    told = await store.told(conn, ids, campaign)
    signed = await signing_store.signatures(conn, campaign.id, ids)
    is_open = of.current == campaign
    frozen = None if is_open else await store.written_lines(conn, campaign.id)
    found = []
    for each in seats:
        bridge_id, live = each["bridge_id"], endpoints.get(each["site_id"], ())
        seen = [store.endpoint(one) for one in live] if frozen is None else frozen.get(bridge_id)
        # Nothing was written down of it: nobody looked, or it was put on the list afterwards.
        states = [one.state for one in seen] if seen is not None else ["unknown"]
        attested = store.attested(each)
        seen_as = line(each["observable"], states, attested)
        cell = LineCell(seen_as, tuple(seen or ()), attested if seen_as == "attested" else None)
        seat = store.seat(each, live, contacts.get(each["site_id"], ()))
        signatures = signed.get(bridge_id, ())
        found.append(row(seat, cell, told.get(bridge_id, ()), signatures, of.now, is_open=is_open))
    return found
