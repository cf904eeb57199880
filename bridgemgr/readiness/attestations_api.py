"""Attestations over HTTP."""

from bridgemgr.errors import NotFound
from bridgemgr.readiness.attestations import Attestations
from bridgemgr.readiness.attestations_model import AttestationIn, AttestationOut
from bridgemgr.registry.equipment_api import site_code
from bridgemgr.web import Call, Reply, Route
from bridgemgr.web.model import ListQuery, page_of


def attestation_routes(attestations: Attestations) -> list[Route]:
    """What is attested of a site: read, said, taken back, and its history."""

    async def show(call: Call) -> Reply:
        code = site_code(call)
        found = await attestations.current(call.principal, code)
        if found is None:
            raise NotFound(f"Nothing is attested of {code} now.")
        return Reply(found)

    async def put(call: Call) -> Reply:
        return Reply(await attestations.attest(call.principal, site_code(call), call.body))

    async def delete(call: Call) -> Reply:
        await attestations.withdraw(call.principal, site_code(call))
        return Reply()

    async def history(call: Call) -> Reply:
        query: ListQuery = call.query
        found = await attestations.history(call.principal, site_code(call), query.after(), query.limit)
        page = page_of(found, query.limit, lambda each: each[0])
        return Reply({"items": [each for _, each in page["items"]], "next": page["next"]})

    one, tag = "/api/v1/sites/{code}/attestation", "health"
    return [
        Route("GET", one, show, "What is attested of a site that cannot be probed", tag, reply=AttestationOut),
        Route("PUT", one, put, "Say how its line is, until when", tag, AttestationIn, reply=AttestationOut),
        Route("DELETE", one, delete, "Take it back", tag, status=204),
        Route(
            "GET",
            "/api/v1/sites/{code}/attestations",
            history,
            "All that was ever attested of a site",
            tag,
            query=ListQuery,
            reply=AttestationOut,
        ),
    ]
