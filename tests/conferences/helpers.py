"""What the tests of conferences share."""

from typing import Any

from tests.registry.house import House

CONFERENCES = "/api/v1/conferences"
# The tests' clock stands at 07:30 of this morning in Hanoi.
BODY: dict[str, Any] = {
    "title": "Hội nghị trực tuyến",
    "starts_at": "2026-03-02T08:00:00+07:00",
    "ends_at": "2026-03-02T10:00:00+07:00",
}


async def make(house: House, code: str = "c1", who: str = "an", **fields: Any) -> dict[str, Any]:
    """Create a conference."""
    status, made = await house.ask(who, "POST", CONFERENCES, {"code": code, **BODY, **fields})
    assert status == 201, made
    return dict(made)


async def make_sites(house: House, *codes: str) -> None:
    """Create sites."""
    for code in codes:
        status, made = await house.ask("an", "POST", "/api/v1/sites", {"code": code, "name": f"Site {code}"})
        assert status == 201, made


async def check_in(house: House, conference: str, site: str) -> None:
    """Put one check-in and its attendance into the ledger, as the attendance room does."""
    async with house.database.transaction() as conn:
        group = await conn.fetchval(
            "INSERT INTO receipt_groups (received_at, size, root, kid, signature)"
            " VALUES (now(), 1, '', 'k', '') RETURNING id"
        )
        await conn.execute(
            "INSERT INTO check_ins (event_id, conference, site, bridge_id, kind, observed_at, received_at, headcount,"
            " source, author, verdict, content_hash, group_id, group_index, receipt_path)"
            " SELECT gen_random_uuid(), c.code, s.code, b.id, 'headcount', now(), now(), 3, 'agent', 'device:1',"
            " 'accepted', '', $3, 0, '' FROM bridges b JOIN conferences c ON c.id = b.conference_id"
            " JOIN sites s ON s.id = b.site_id WHERE c.code = $1 AND s.code = $2",
            conference,
            site,
            group,
        )
