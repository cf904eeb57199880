"""Invitations and call codes over HTTP."""

from bridgemgr.conferences.bridge_api import conference_code
from bridgemgr.conferences.invitation_model import CallIn, CallOut, InvitationsIn, InvitationsOut
from bridgemgr.conferences.invitations import Invitations
from bridgemgr.web import Call, Reply, Route

_ONE = "/api/v1/conferences/{code}"


def invitation_routes(invitations: Invitations) -> list[Route]:
    """Inviting every bridge of a conference, and finding one by its call code."""

    async def make(call: Call) -> Reply:
        booklet = await invitations.make(call.principal, conference_code(call), call.body)
        items = [each.out for each in booklet.invitations]
        return Reply(InvitationsOut(items=items, revoked=booklet.revoked))

    async def called(call: Call) -> Reply:
        return Reply(await invitations.called(call.principal, conference_code(call), call.body.call_code))

    return [
        Route(
            "POST",
            f"{_ONE}/enrolments",
            make,
            "A link and a telephone code for every bridge; the links are shown this once",
            "enrolments",
            InvitationsIn,
            reply=InvitationsOut,
            status=201,
        ),
        # By POST: what a site reads out to prove who it is belongs into no log of addresses.
        Route(
            "POST",
            f"{_ONE}/call",
            called,
            "The site that reads out a telephone code",
            "check-ins",
            CallIn,
            reply=CallOut,
        ),
    ]
