"""Invitations: for every bridge of a conference a link that sets up its device, and its telephone code."""

from collections.abc import Callable, Sequence
from datetime import datetime

from bridgemgr.accounts.identity import Identity
from bridgemgr.audit.service import record
from bridgemgr.conferences import invitations_store, store
from bridgemgr.conferences.access import require_conference
from bridgemgr.conferences.call_codes import new_codes, read_code
from bridgemgr.conferences.invitation_model import (
    Booklet,
    CallOut,
    Host,
    Invitation,
    InvitationOut,
    InvitationsIn,
    lifetime,
)
from bridgemgr.conferences.model import check_open, require_holder
from bridgemgr.db import Connection, Database, Row
from bridgemgr.errors import Invalid, NotFound, Problem
from bridgemgr.principal import Principal


class Invitations:
    """Use cases of invitations, for operators of the offices that hold the conference.

    Args:
        site_url: gives the address that links for sites carry, without a trailing slash.
    """

    def __init__(
        self, database: Database, identity: Identity, clock: Callable[[], datetime], site_url: Callable[[], str]
    ) -> None:
        self._database = database
        self._identity = identity
        self._clock = clock
        self._site_url = site_url

    async def make(self, principal: Principal, conference: str, item: InvitationsIn) -> Booklet:
        """Make a link and, where it has none yet, a call code for every site asked for; all or none.

        A link speaks for its site at every conference, and sees its rosters there. So a site that another
        office keeps than the one that holds this conference gets a call code alone, unless the asker works
        for that office too; one that no office keeps is common to all and gets both.

        Raises:
            NotFound: there is no such conference that the asker may know of.
            Forbidden: the asker is no operator of an office that holds it.
            Conflict: it is archived or cancelled.
            Invalid: names every site that is no bridge of it.
        """
        principal.require("operator")
        now = self._clock()
        async with self._database.transaction() as conn:
            # Locked, so that of two who make call codes the second sees the first one's.
            row = await require_conference(conn, principal, conference, lock=True)
            require_holder(principal, store.conference_out(row))
            check_open(row["status"])
            everything = await invitations_store.bridges(conn, row["id"])
            wanted = _wanted(everything, item.sites, row["code"])
            codes = await self._call_codes(conn, principal, row, everything, wanted)
            invited = [each for each in wanted if _may_invite(principal, each["office"], row)]
            site_ids = [each["site_id"] for each in invited]
            revoked = await invitations_store.revoke_unused(conn, site_ids, now) if item.revoke_earlier else 0
            waits = lifetime(item.days, row["ends_at"], now)
            secrets = await self._identity.add_enrolments(conn, principal.name, site_ids, waits)
            detail = {"conference": row["code"], "expires_at": now + waits, "earlier_revoked": item.revoke_earlier}
            office = row["office"]
            sites = [each["site"] for each in invited]
            await record(conn, principal, now, "enrolment.create", sites, detail, office=office)
            hosts = await invitations_store.hosts(conn, row["id"])
        base = self._site_url()
        links = {each["id"]: f"{base}/s/#{secret}" for each, secret in zip(invited, secrets, strict=True)}
        made = (_invitation(each, codes[each["id"]], links.get(each["id"]), now + waits) for each in wanted)
        return _booklet(row, hosts, _main_site(everything, row), tuple(made), revoked)

    async def _call_codes(
        self, conn: Connection, principal: Principal, conference: Row, bridges: Sequence[Row], wanted: Sequence[Row]
    ) -> dict[int, str]:
        """The call codes of those wanted, by bridge id; of those that had none, made now."""
        taken = {row["call_code"] for row in bridges if row["call_code"]}
        without = [row["id"] for row in wanted if not row["call_code"]]
        made = dict(zip(without, new_codes(len(without), taken), strict=True))
        if made:
            await invitations_store.set_call_codes(conn, list(made.items()))
            code, office = conference["code"], conference["office"]
            await record(
                conn, principal, self._clock(), "call-code.create", code, {"bridges": len(made)}, office=office
            )
        return {row["id"]: row["call_code"] or made[row["id"]] for row in wanted}

    async def called(self, principal: Principal, conference: str, heard: str) -> CallOut:
        """The site that reads out a call code.

        Raises:
            Misheard: it cannot be one, by its check digit.
            NotFound: no bridge of the conference has it.
        """
        principal.require("operator")
        async with self._database.acquire() as conn:
            row = await require_conference(conn, principal, conference)
            require_holder(principal, store.conference_out(row))
            found = await invitations_store.called(conn, row["id"], read_code(heard))
        if found is None:
            raise NotFound(
                f"No bridge of {row['code']} has this telephone code. Ask for which conference the sheet is."
            )
        return CallOut(site=found["site"], name=found["name"])


def _wanted(bridges: Sequence[Row], sites: Sequence[str], conference: str) -> list[Row]:
    codes = {site.lower() for site in sites}
    missing = codes - {row["site"].lower() for row in bridges}
    if missing:
        absent = [site for site in sites if site.lower() in missing]
        problems = [Problem("body.sites", f"{site} is no bridge of the conference {conference}") for site in absent]
        raise Invalid(f"{problems[0].message}. Nothing was made.", problems=problems)
    return [row for row in bridges if not codes or row["site"].lower() in codes]


def _may_invite(principal: Principal, kept_by: str | None, conference: Row) -> bool:
    # Not by being named as a co-office: whoever holds a conference may name any, which has agreed to nothing.
    # Nor for a site that nobody keeps: its device sees every office's rosters there, so administrators decide.
    if kept_by is None:
        return principal.offices("admin") is None
    return bool(kept_by == conference["office"]) or principal.allow("operator", kept_by)


def _invitation(row: Row, call_code: str, link: str | None, expires_at: datetime) -> Invitation:
    out = InvitationOut(
        site=row["site"],
        name=row["name"],
        contact=row["contact"],
        phone=row["phone"],
        email=row["email"],
        link=link,
        call_code=call_code,
        expires_at=expires_at if link else None,
    )
    return Invitation(out, row["district"], row["expected_delegates"], "" if link else row["office_name"])


def _main_site(bridges: Sequence[Row], conference: Row) -> str:
    """How sheets name it: like the conference by its code alone where that is confidential."""
    code: str = conference["main_site"] or ""
    if conference["confidentiality"] == "confidential":
        return code
    return next((row["name"] for row in bridges if row["site"] == code), code)


def _booklet(
    row: Row, hosts: Sequence[Row], main_site: str, invitations: tuple[Invitation, ...], revoked: int
) -> Booklet:
    return Booklet(
        conference=row["code"],
        title=row["code"] if row["confidentiality"] == "confidential" else row["title"],
        starts_at=row["starts_at"],
        ends_at=row["ends_at"],
        main_site=main_site,
        time_zone=hosts[0]["time_zone"],
        hosts=tuple(Host(host["name"], host["contact"], host["phone"]) for host in hosts),
        invitations=invitations,
        revoked=revoked,
    )
