"""Offices, tokens and enrolments over HTTP."""

from bridgemgr.accounts.identity import Identity
from bridgemgr.accounts.model import EnrolmentIn, GivenBackOut, OfficeIn, OfficeNew, OfficeOut, TokenNew
from bridgemgr.accounts.service import Accounts
from bridgemgr.text import check_code
from bridgemgr.web import Call, Reply, Route
from bridgemgr.web.model import ListQuery, page_of


def routes(accounts: Accounts, identity: Identity) -> list[Route]:
    """The routes of the accounts room."""
    return [*_office_routes(accounts), *_token_routes(accounts), *_enrolment_routes(identity)]


def _office_routes(accounts: Accounts) -> list[Route]:
    async def listing(call: Call) -> Reply:
        query: ListQuery = call.query
        items = await accounts.offices(call.principal, query.after(), query.limit + 1)
        return Reply(page_of(items, query.limit, lambda item: item.code))

    async def show(call: Call) -> Reply:
        office = await accounts.office(call.principal, call.path["code"])
        return Reply(office, version=office.version)

    async def create(call: Call) -> Reply:
        office, _ = await accounts.save_office(call.principal, call.body, create=True)
        return Reply(office, version=office.version, location=f"/api/v1/offices/{office.code}")

    async def put(call: Call) -> Reply:
        body: OfficeIn = call.body
        item = OfficeNew(code=code_in_path(call), **body.model_dump())
        office, new = await accounts.save_office(call.principal, item, version=call.expected_version())
        return Reply(office, version=office.version, status=201 if new else 200)

    return [
        Route("GET", "/api/v1/offices", listing, "Offices by code", "offices", query=ListQuery),
        Route(
            "POST",
            "/api/v1/offices",
            create,
            "Create an office",
            "offices",
            OfficeNew,
            reply=OfficeOut,
            status=201,
        ),
        Route("GET", "/api/v1/offices/{code}", show, "One office", "offices", reply=OfficeOut),
        Route(
            "PUT",
            "/api/v1/offices/{code}",
            put,
            "Create or replace an office",
            "offices",
            OfficeIn,
            reply=OfficeOut,
        ),
    ]


def _token_routes(accounts: Accounts) -> list[Route]:
    async def listing(call: Call) -> Reply:
        return Reply({"items": await accounts.tokens(call.principal), "next": None})

    async def create(call: Call) -> Reply:
        body: TokenNew = call.body
        return Reply({"name": body.name, "token": await accounts.create_token(call.principal, body)})

    async def revoke(call: Call) -> Reply:
        await accounts.revoke_token(call.principal, call.path["name"])
        return Reply()

    async def users(call: Call) -> Reply:
        return Reply({"items": await accounts.users(call.principal), "next": None})

    return [
        Route("GET", "/api/v1/tokens", listing, "Tokens, without secrets", "tokens"),
        Route("POST", "/api/v1/tokens", create, "Make a token; shown once", "tokens", TokenNew, status=201),
        Route("DELETE", "/api/v1/tokens/{name}", revoke, "Revoke a token", "tokens", status=204),
        Route("GET", "/api/v1/users", users, "Users and their roles", "users"),
    ]


def _enrolment_routes(identity: Identity) -> list[Route]:
    async def enrol(call: Call) -> Reply:
        body: EnrolmentIn = call.body
        return Reply({"credential": await identity.enrol(body.code, body.name, body.source)})

    async def give_back(call: Call) -> Reply:
        return Reply(await identity.give_back(call.principal))

    return [
        Route(
            "POST",
            "/api/v1/enrolments",
            enrol,
            "Turn an enrolment code into a device's credential, once",
            "enrolments",
            EnrolmentIn,
            status=201,
            public=True,
        ),
        # Not an empty 204, which many a captive portal answers to anything: the device must know who said it.
        Route(
            "DELETE",
            "/api/v1/enrolments/own",
            give_back,
            "Give back the device's credential that is asked with",
            "enrolments",
            reply=GivenBackOut,
        ),
    ]


def code_in_path(call: Call, name: str = "code") -> str:
    """The code that a PUT's address names; Invalid where it could be none."""
    return check_code(call.path[name], name)
