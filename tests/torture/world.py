"""The database that is tortured: sites with two devices each, conferences, rosters."""

import base64
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from bridgemgr.db import Connection
from bridgemgr.services import Services, open_services
from bridgemgr.settings import Settings

ROSTER = 10  # delegates of a bridge, numbered from 1
DEVICES = 2  # of a site, so that two voices speak for one bridge
UNINVITED = 2  # sites that are on no conference's list: what they send is held


@dataclass(frozen=True)
class Device:
    """A device as it knows itself: its site's code, its own number, and what it is recognised by."""

    site: str
    number: int
    credential: str


@dataclass(frozen=True)
class World:
    """What the clients are given: devices by site, conferences, and the public keys of receipts by ``kid``."""

    devices: list[Device]
    conferences: list[str]
    keys: dict[str, bytes]


def settings(folder: Path, port: int) -> Settings:
    """The service's settings: everything in the folder, on that port of the loopback interface."""
    return Settings.model_validate({"data_dir": str(folder / "data"), "listen": f"127.0.0.1:{port}"})


async def build(of: Settings, sites: int, conferences: int) -> World:
    """Fill an empty database."""
    async with open_services(of) as services:
        async with services.database.transaction() as conn:
            codes = await _places(conn, sites, conferences)
            devices = await _devices(conn, services)
        published = await services.check_ins.keys()
        return World(devices, codes, {key.kid: base64.b64decode(key.public_key) for key in published.items})


async def _places(conn: Connection, sites: int, conferences: int) -> list[str]:
    office = await conn.fetchval(
        "INSERT INTO offices (code, name, name_sort, time_zone) VALUES ('o', 'O', '', 'UTC') RETURNING id"
    )
    rows = await conn.fetch(
        "INSERT INTO conferences (code, office_id, title, starts_at, ends_at)"
        " SELECT 't-' || n, $1, 'T', now() + $2, now() + $2 * 2 FROM generate_series(1, $3::int) n RETURNING code",
        office,
        timedelta(days=1),
        conferences,
    )
    await conn.execute(
        "INSERT INTO sites (code, name, name_fold, name_sort)"
        " SELECT 's' || n, 's' || n, 's' || n, '' FROM generate_series(1, $1::int) n",
        sites,
    )
    await conn.execute(
        "INSERT INTO bridges (conference_id, site_id, expected_delegates)"
        " SELECT c.id, s.id, $1 FROM conferences c, sites s WHERE s.id > (SELECT min(id) FROM sites) + $2 - 1",
        ROSTER,
        UNINVITED,
    )
    await conn.execute(
        "INSERT INTO delegates (bridge_id, number, name)"
        " SELECT b.id, n, 'D' || n FROM bridges b, generate_series(1, $1::int) n",
        ROSTER,
    )
    await conn.execute("ANALYZE")
    return [row["code"] for row in rows]


async def _devices(conn: Connection, services: Services) -> list[Device]:
    sites = await conn.fetch("SELECT id, code FROM sites ORDER BY id")
    wanted = [(site["id"], f"device {n}", site["code"]) for site in sites for n in range(1, DEVICES + 1)]
    made = await services.identity.add_devices(conn, "torture", [(site_id, name) for site_id, name, _ in wanted])
    return [Device(code, number, credential) for (_, _, code), (number, credential) in zip(wanted, made, strict=True)]
