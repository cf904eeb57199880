"""A site, its conference and its page behind TLS of a private authority, on a server that can be stopped."""

import base64
import hashlib
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bridgemgr.accounts import api as accounts_api
from bridgemgr.accounts.credentials import Pepper
from bridgemgr.accounts.identity import Identity
from bridgemgr.accounts.service import Accounts
from bridgemgr.attendance import api as attendance_api
from bridgemgr.attendance import own_site_api
from bridgemgr.attendance.model import CheckInIn
from bridgemgr.attendance.own_site import OwnSite
from bridgemgr.attendance.service import CheckIns
from bridgemgr.db import Database
from bridgemgr.errors import BridgemgrError
from bridgemgr.principal import SYSTEM
from bridgemgr.receipts import Signer
from bridgemgr.screen.render import Templates
from bridgemgr.screen.session import Sessions
from bridgemgr.screen.site_pages import SitePages
from bridgemgr.settings import Settings
from bridgemgr.text import fold, sort_key
from bridgemgr.web import problem
from bridgemgr.web.server import Kit, build, runner

ROSTER = (
    (1, "Nguyễn Văn An", "Bí thư Đảng ủy"),
    (2, "Trần Thị Bình", "Chủ tịch UBND"),
    (3, "Lê Quốc Cường", "Chỉ huy trưởng Quân sự"),
    (4, "Phạm Thị Thu Hương", "Chủ tịch Hội Liên hiệp Phụ nữ"),
)


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Authority:
    """A private certificate authority and what it issued for 127.0.0.1.

    Attributes:
        pin: by which Chromium takes the server's key for good (base64 of SHA-256 over its SPKI); all else
            of TLS stays as it is, so that service workers run as they do in the field.
    """

    context: ssl.SSLContext
    pin: str


def authority(directory: Path) -> Authority:
    now = utc_now()
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test authority")])
    base = x509.CertificateBuilder().not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=9))
    ca = (
        base.subject_name(ca_name)
        .issuer_name(ca_name)
        .public_key(ca_key.public_key())
        .serial_number(x509.random_serial_number())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(ca_key, hashes.SHA256())
    )
    leaf = (
        base.subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")]))
        .issuer_name(ca_name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = directory / "server.pem"
    path.write_bytes(leaf.public_bytes(pem) + ca.public_bytes(pem) + private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    spki = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return Authority(context, base64.b64encode(hashlib.sha256(spki).digest()).decode())


@dataclass
class SiteHouse:
    """The office vp, its conference hn-01 in four minutes, and the sites ba-vi and my-duc on its list."""

    database: Database
    keys: Path
    tls: ssl.SSLContext | None
    clock: Callable[[], datetime] = utc_now
    port: int = 0
    sites: dict[str, int] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.identity = Identity(self.database, Pepper(self.keys), self.now)
        self.check_ins = CheckIns(self.database, Signer(self.keys), self.now)

    def now(self) -> datetime:
        """The service's clock, which a test may set off."""
        return self.clock()

    async def furnish(self) -> None:
        async with self.database.transaction() as conn:
            await conn.execute(
                "INSERT INTO offices (code, name, name_sort, time_zone, contact, phone)"
                " VALUES ('vp', 'Trực kỹ thuật trung tâm', '', 'Asia/Ho_Chi_Minh', 'Chị Hà', '024 0000 0114')"
            )
            for code, name in (("ba-vi", "Phường/Xã 05, Ba Vì"), ("my-duc", "Xã 06, Mỹ Đức")):
                self.sites[code] = await conn.fetchval(
                    "INSERT INTO sites (code, name, name_fold, name_sort) VALUES ($1, $2, $3, $4) RETURNING id",
                    code,
                    name,
                    fold(name),
                    sort_key(name),
                )
        await self.conference("hn-01", "Hội nghị trực tuyến quán triệt nghị quyết", timedelta(minutes=4))

    async def conference(self, code: str, title: str, starts_in: timedelta, status: str = "scheduled") -> None:
        """A conference of both sites, with ba-vi's roster."""
        begins = self.now() + starts_in
        async with self.database.transaction() as conn:
            conference = await conn.fetchval(
                "INSERT INTO conferences (code, office_id, title, starts_at, ends_at, status)"
                " SELECT $1, id, $2, $3, $4, $5 FROM offices RETURNING id",
                code,
                title,
                begins,
                begins + timedelta(hours=3),
                status,
            )
            for site in self.sites.values():
                bridge = await conn.fetchval(
                    "INSERT INTO bridges (conference_id, site_id, expected_delegates) VALUES ($1, $2, 45) RETURNING id",
                    conference,
                    site,
                )
                if site == self.sites["ba-vi"]:
                    await conn.executemany(
                        "INSERT INTO delegates (bridge_id, number, name, title) VALUES ($1, $2, $3, $4)",
                        [(bridge, *delegate) for delegate in ROSTER],
                    )

    async def code(self, site: str = "ba-vi", lifetime: timedelta = timedelta(days=7)) -> str:
        """An enrolment code of the site."""
        async with self.database.transaction() as conn:
            [code] = await self.identity.add_enrolments(conn, "test", [self.sites[site]], lifetime)
        return code

    async def revoke(self, site: str = "ba-vi") -> None:
        """Revoke every device of the site."""
        async with self.database.transaction() as conn:
            sql = "SELECT id FROM devices WHERE site_id = $1 AND revoked_at IS NULL"
            for row in await conn.fetch(sql, self.sites[site]):
                await self.identity.revoke_device(conn, self.sites[site], row["id"])
        self.identity.forget()

    async def take_back(self) -> None:
        """Let an operator void every event that stands."""
        async with self.database.acquire() as conn:
            rows = await conn.fetch("SELECT event_id, site, conference FROM check_ins WHERE kind <> 'void'")
        said = {"kind": "void", "reason": "nhầm", "observed_at": self.now()}
        places = [(UUID(str(row["event_id"])), row["site"], row["conference"]) for row in rows]
        items = [
            CheckInIn(event_id=uuid4(), corrects=event, site=site, conference=conference, **said)
            for event, site, conference in places
        ]
        await self.check_ins.submit(SYSTEM, items, "operator")

    async def ledger(self) -> list[tuple[Any, ...]]:
        """What is stored: site, conference, kind, headcount, delegate, seq, verdict, source; by device and seq."""
        async with self.database.acquire() as conn:
            rows = await conn.fetch(
                "SELECT site, conference, kind, headcount, delegate, seq, verdict, source FROM check_ins"
                " ORDER BY device_id, seq"
            )
        return [tuple(row) for row in rows]

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def served(self) -> AsyncIterator[str]:
        """The server, until the end of the context; each time on the same port. Gives the page's address."""
        sessions = Sessions(self.identity, Settings())

        def error_page(_request: web.Request, error: BridgemgrError) -> web.Response:
            return problem.response(error)

        routes = [
            *attendance_api.routes(self.check_ins),
            *accounts_api.routes(Accounts(self.database, Pepper(self.keys), self.now), self.identity),
            *own_site_api.routes(OwnSite(self.database, self.now)),
        ]
        kit = Kit(self.now, sessions.authenticate, error_page)
        application = build(kit, routes, SitePages(Templates(sessions)).pages())
        application.middlewares.append(self._note)
        running = runner(application, 1.0)
        await running.setup()
        await web.TCPSite(running, "127.0.0.1", self.port, ssl_context=self.tls, reuse_address=True).start()
        self.port = running.addresses[0][1]
        try:
            yield f"{self.url}/s/"
        finally:
            await running.cleanup()

    @web.middleware
    async def _note(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.requests.append(f"{request.method} {request.path_qs}")
        return await handler(request)
