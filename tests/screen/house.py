"""A conference in a real database, and the real server in front of it, which can be stopped and started."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

from aiohttp import web

from bridgemgr.accounts.credentials import Pepper
from bridgemgr.accounts.identity import Identity
from bridgemgr.accounts.service import Accounts
from bridgemgr.attendance import api as attendance_api
from bridgemgr.attendance.model import CheckInIn
from bridgemgr.attendance.rosters import Rosters
from bridgemgr.attendance.rosters_marks import RosterMarks
from bridgemgr.attendance.service import CheckIns
from bridgemgr.conferences.invitations import Invitations
from bridgemgr.db import Database
from bridgemgr.principal import SYSTEM
from bridgemgr.readiness.details import Details
from bridgemgr.readiness.line_tests import LineTests
from bridgemgr.readiness.line_tests_signatures import Signatures
from bridgemgr.readiness.service import Readiness
from bridgemgr.readiness.troubles import Troubles
from bridgemgr.readiness.windows import Windows
from bridgemgr.receipts import Signer
from bridgemgr.reports.service import Reports
from bridgemgr.screen.service import Screen
from bridgemgr.settings import Settings
from bridgemgr.text import fold, sort_key
from bridgemgr.web.hub import Hub
from bridgemgr.web.server import Kit, build

Clock = Callable[[], datetime]


@dataclass(frozen=True)
class Place:
    """A site and its seat in the conference; ``area`` is (path, name), both empty for none."""

    code: str
    name: str
    area: tuple[str, str] = ("hanoi/ba-vi/x01", "Xã Một")
    expected: int = 45
    phone: str = "0912 000 118"
    contact: str = "Nguyễn Thị Hà"
    required: bool = True
    line: str | None = "up"


CAST = (
    Place("h-ba-vi", "UBND huyện Ba Vì", ("hanoi/ba-vi", "Huyện Ba Vì"), 60),
    Place("on-time", "Xã Đúng Giờ", ("hanoi/ba-vi/x01", "Xã Đúng Giờ")),
    Place("late-one", "Xã Muộn", ("hanoi/ba-vi/x02", "Xã Muộn"), phone="0912 000 077"),
    Place("dark", "Xã Mất Điện", ("hanoi/my-duc/x05", "Xã Mất Điện"), line="down"),
    Place("silent", "Xã Im Lặng", ("hanoi/my-duc/x06", "Xã Im Lặng"), phone="0912 000 231"),
    Place("guest", "Khách <b>&", ("hanoi/so-nganh", "Sở, ban, ngành"), 5, required=False, line=None),
)


@dataclass
class House:
    """Everything of one test: the data in the database, and the services over it."""

    database: Database
    clock: Clock
    keys: Path
    settings: Settings = field(default_factory=Settings)

    def __post_init__(self) -> None:
        self.accounts = Accounts(self.database, Pepper(self.keys), self.clock)
        self.check_ins = CheckIns(self.database, Signer(self.keys), self.clock)
        self.conference_id = 0

    async def office(self, code: str = "vptu", name: str = "Văn phòng Thành ủy") -> None:
        async with self.database.transaction() as conn:
            await conn.execute(
                "INSERT INTO offices (code, name, name_sort, time_zone) VALUES ($1, $2, $3, 'Asia/Ho_Chi_Minh')",
                code,
                name,
                sort_key(name),
            )

    async def conference(
        self,
        code: str,
        starts_at: datetime,
        cast: Sequence[Place] = CAST,
        *,
        office: str = "vptu",
        title: str = "Hội nghị trực tuyến quán triệt nghị quyết",
        status: str = "scheduled",
    ) -> int:
        """A conference of three hours with these bridges; returns its id."""
        async with self.database.transaction() as conn:
            conference_id: int = await conn.fetchval(
                "INSERT INTO conferences (code, office_id, title, starts_at, ends_at, quorum_ratio, status)"
                " SELECT $1, id, $2, $3, $4, 0.6667, $6 FROM offices WHERE code = $5 RETURNING id",
                code,
                title,
                starts_at,
                starts_at + timedelta(hours=3),
                office,
                status,
            )
        await self.seat(conference_id, cast)
        self.conference_id = conference_id
        return conference_id

    async def seat(self, conference_id: int, cast: Sequence[Place]) -> None:
        """Put sites, made where they are new, on a conference's list."""
        areas = {
            "hanoi/my-duc": "Huyện Mỹ Đức",
            **{path: name for path, name in (place.area for place in cast) if path},
        }
        async with self.database.transaction() as conn:
            await conn.executemany(
                "INSERT INTO areas (path, name, name_sort) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
                [(path, name, sort_key(name)) for path, name in areas.items()],
            )
            await conn.executemany(
                "INSERT INTO sites (code, name, name_fold, name_sort, area_id, observable, office_id)"
                " SELECT $1, $2, $3, $4, (SELECT id FROM areas WHERE path = $5), $6, office_id FROM conferences"
                " WHERE id = $7 ON CONFLICT DO NOTHING",
                [
                    (
                        *(place.code, place.name, fold(place.name), sort_key(place.name), place.area[0]),
                        *(bool(place.line), conference_id),
                    )
                    for place in cast
                ],
            )
            await conn.executemany(
                "INSERT INTO site_contacts (site_id, position, name, phone)"
                " SELECT id, 1, $2, $3 FROM sites WHERE code = $1 ON CONFLICT DO NOTHING",
                [(place.code, place.contact, place.phone) for place in cast],
            )
            await conn.executemany(
                "INSERT INTO bridges (conference_id, site_id, expected_delegates, required)"
                " SELECT $2, id, $3, $4 FROM sites WHERE code = $1",
                [(place.code, conference_id, place.expected, place.required) for place in cast],
            )
        for line in ("up", "down"):
            await self.line([place.code for place in cast if place.line == line], line, announce=False)

    async def line(self, sites: Sequence[str], state: str, *, announce: bool = True) -> None:
        """What the probes say of these sites' endpoints from now on."""
        async with self.database.transaction() as conn:
            rows = await conn.fetch(
                "INSERT INTO endpoints (site_id, target) SELECT id, 'sip:codec@' || code || ':5060' FROM sites"
                " WHERE code = ANY($1) ON CONFLICT (site_id, target) DO UPDATE SET target = excluded.target"
                " RETURNING id, site_id",
                sites,
            )
            await conn.executemany(
                "INSERT INTO endpoint_health (endpoint_id, state, since, probed_at, reason, detail)"
                " VALUES ($1, $2, $3, $3, 'silent', 'no reply within 5 s')"
                " ON CONFLICT (endpoint_id) DO UPDATE SET state = excluded.state, since = excluded.since",
                [(row["id"], state, self.clock()) for row in rows],
            )
            if announce:
                listed = ",".join(str(row["site_id"]) for row in rows)
                await conn.execute("SELECT pg_notify('bridgemgr', $1)", f"health:{listed}")

    async def change_conference(self, assignment: str) -> None:
        """Change the conference as its room would: with a notification."""
        async with self.database.transaction() as conn:
            await conn.execute(f"UPDATE conferences SET {assignment} WHERE id = $1", self.conference_id)
            await conn.execute("SELECT pg_notify('bridgemgr', $1)", f"conference:{self.conference_id}")

    async def check_in(self, conference: str, site: str, kind: str = "headcount", count: int | None = None) -> None:
        """A check-in, accepted and committed."""
        item = CheckInIn(
            event_id=uuid4(),
            conference=conference,
            site=site,
            kind=kind,
            observed_at=self.clock(),
            headcount=count,
        )
        [outcome] = await self.check_ins.submit(SYSTEM, [item], "operator")
        assert outcome.verdict == "accepted", outcome

    async def user(self, name: str, role: str = "operator", office: str | None = "vptu") -> str:
        """A person; returns a one-time sign-in credential."""
        await self.accounts.create_user(SYSTEM, name, name.title(), role, office)
        return await self.link(name)

    async def link(self, name: str) -> str:
        return await self.accounts.create_link(SYSTEM, name, timedelta(hours=1))

    @asynccontextmanager
    async def served(self, port: int = 0) -> AsyncIterator["Served"]:
        """The server over this data, as another process would begin it, until the end of the context."""
        hub = Hub()
        identity = Identity(self.database, Pepper(self.keys), self.clock)
        screen = Screen(
            readiness=(readiness := Readiness(self.database, self.clock)),
            details=Details(readiness, self.database),
            line_tests=(line_tests := LineTests(self.database, self.check_ins, (1440, 120, 15), self.clock)),
            signatures=Signatures(line_tests, self.database, self.clock),
            troubles=Troubles(self.database, self.clock),
            windows=Windows(self.database, self.clock),
            check_ins=self.check_ins,
            rosters=Rosters(self.database, self.clock),
            marks=RosterMarks(self.database, self.check_ins, self.clock),
            invitations=Invitations(self.database, identity, self.clock, self.settings.site_url),
            reports=Reports(self.database),
            identity=identity,
            hub=hub,
            settings=self.settings,
            clock=self.clock,
        )

        def notified(payload: str) -> None:
            topic, _, key = payload.partition(":")
            if topic == "credentials":
                identity.forget()
            screen.notified(topic, key)

        kit = Kit(self.clock, screen.authenticate, screen.error_page)
        application = build(kit, attendance_api.routes(self.check_ins), screen.pages())
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=2)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        loops = [
            asyncio.create_task(screen.run()),
            asyncio.create_task(self.database.listen(notified, screen.resync)),
        ]
        try:
            yield Served(f"http://127.0.0.1:{runner.addresses[0][1]}", hub)
        finally:
            screen.stop()
            await runner.cleanup()
            for loop in loops:
                loop.cancel()
            await asyncio.gather(*loops, return_exceptions=True)


@dataclass(frozen=True)
class Served:
    """Where the server listens, and its hub."""

    url: str
    hub: Hub

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])
