"""Sites behind one uplink, which falls as the scheduler finds it."""

from collections.abc import Sequence

from bridgemgr.text import fold, sort_key
from tests.health.falls import Lines
from tests.readiness.test_standing import put_endpoint
from tests.screen.house import House

HUB = "icmp://10.9.0.1"


async def behind(house: House, parent: str, sites: Sequence[str]) -> None:
    """Hang sites under a site, made where it is new."""
    async with house.database.transaction() as conn:
        name = "Trung tâm Mạng"
        await conn.execute(
            "INSERT INTO sites (code, name, name_fold, name_sort, office_id)"
            " SELECT $1, $2, $3, $4, id FROM offices WHERE code = 'vptu' ON CONFLICT DO NOTHING",
            *(parent, name, fold(name), sort_key(name)),
        )
        await conn.execute(
            "INSERT INTO site_contacts (site_id, position, name, phone)"
            " SELECT id, 1, 'Trần Trực', '0912 999 001' FROM sites WHERE code = $1 ON CONFLICT DO NOTHING",
            parent,
        )
        await conn.execute(
            "UPDATE sites SET parent_id = (SELECT id FROM sites WHERE code = $1) WHERE code = ANY($2)", parent, sites
        )


async def endpoints(house: House, sites: Sequence[str]) -> list[int]:
    """The ids of these sites' endpoints."""
    async with house.database.acquire() as conn:
        rows = await conn.fetch(
            "SELECT e.id FROM endpoints e JOIN sites s ON s.id = e.site_id WHERE s.code = ANY($1) ORDER BY e.id", sites
        )
    return [row["id"] for row in rows]


async def uplink_falls(house: House, sites: Sequence[str], parent: str = "hub") -> Lines:
    """The line of ``parent`` falls, then those of the sites that hang under it."""
    await behind(house, parent, sites)
    if parent == "hub":
        await put_endpoint(house, parent, HUB)
    lines = Lines(house.database)
    await lines.fall(-2, *await endpoints(house, [parent]))
    await lines.fall(-1, *await endpoints(house, sites))
    return lines
