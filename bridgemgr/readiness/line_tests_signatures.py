"""Who signs a line test off, and takes a signature back."""

from collections.abc import Callable, Sequence
from datetime import datetime

from bridgemgr.audit.service import record
from bridgemgr.conferences.model import ConferenceOut
from bridgemgr.db import Connection, Database
from bridgemgr.db.pool import notify
from bridgemgr.errors import Conflict, Forbidden
from bridgemgr.principal import Principal, Role
from bridgemgr.readiness import line_tests_signing_store as signing_store
from bridgemgr.readiness import line_tests_store as store
from bridgemgr.readiness.line_tests import TOPIC, LineTests, bridge_of, opened
from bridgemgr.readiness.line_tests_bodies import SignAllIn, SignIn
from bridgemgr.readiness.line_tests_course import Campaign
from bridgemgr.readiness.line_tests_looking import Course, rows
from bridgemgr.readiness.line_tests_model import Row
from bridgemgr.readiness.line_tests_signing import SignOff, SignRole

_NEEDED: dict[SignRole, Role] = {"it": "operator", "cipher": "cipher"}


def may_sign(principal: Principal, role: SignRole, offices: Sequence[str]) -> bool:
    """Whether the asker signs as IT or as cipher for one of the offices that hold a conference."""
    return any(principal.allow(_NEEDED[role], office) for office in offices)


class Signatures:
    """Use cases of signatures under line tests."""

    def __init__(self, line_tests: LineTests, database: Database, clock: Callable[[], datetime]) -> None:
        self._line_tests = line_tests
        self._database = database
        self._clock = clock

    async def sign(self, principal: Principal, code: str, name: str, site: str, item: SignIn) -> SignOff:
        """Sign a bridge off; signing what one has signed already changes nothing.

        Raises:
            Conflict: the campaign is not under way; somebody else signed already; or the line is down or a test
                failed, and nobody said why it is signed ``despite`` that.
            Forbidden: the asker has not the role for an office that holds the conference.
            NotFound: there is no such conference, campaign or bridge.
        """
        now = self._clock()
        async with self._database.transaction() as conn:
            found, campaign = await self._signing(conn, principal, code, name, item.role)
            # What is known of the bridge now stays all that is known until the signature is stored.
            bridge = await bridge_of(conn, found, site, lock=True)
            [row] = await rows(conn, found, campaign, [bridge["bridge_id"]])
            await write_invalid(conn, [row])
            standing = row.signed.get(item.role)
            if standing is not None and standing.valid:
                if standing.author == principal.name:
                    return standing
                raise Conflict(f"{row.seat.site} is signed off already, by {standing.author} at {_utc(standing.at)}.")
            _refuse_failing(row, item.despite)
            signed = [(row.seat.bridge_id, row.seat.endpoints)]
            given = {"role": item.role, "at": now, "author": principal.name, "note": item.note}
            await signing_store.insert(conn, campaign.id, signed, despite=item.despite or None, **given)  # type: ignore[arg-type]
            detail = {**_detail(campaign, item.role, [row]), "note": item.note, "despite": item.despite}
            await _told(conn, principal, now, "line_test.sign", found, detail)
            [after] = await rows(conn, found, campaign, [row.seat.bridge_id])
        return after.signed[item.role]

    async def sign_all(self, principal: Principal, code: str, name: str, item: SignAllIn) -> list[str]:
        """Sign off every bridge that is in order and not signed by this role; returns their sites.

        Raises:
            Conflict, Forbidden, NotFound: as for ``sign``.
        """
        now = self._clock()
        async with self._database.transaction() as conn:
            found, campaign = await self._signing(conn, principal, code, name, item.role)
            ready = [row for row in await rows(conn, found, campaign) if _signable(row, item.role)]
            await store.lock_bridges(conn, [row.seat.bridge_id for row in ready])
            ids = [row.seat.bridge_id for row in ready]
            ready = [row for row in await rows(conn, found, campaign, ids) if _signable(row, item.role)]
            made = await signing_store.insert(
                conn,
                campaign.id,
                [(row.seat.bridge_id, row.seat.endpoints) for row in ready],
                role=item.role,
                at=now,
                author=principal.name,
                note=item.note,
            )
            signed = [row for row in ready if row.seat.bridge_id in set(made)]
            if signed:
                detail = {**_detail(campaign, item.role, signed), "note": item.note}
                await _told(conn, principal, now, "line_test.sign", found, detail)
        return [row.seat.site for row in signed]

    async def take_back(self, principal: Principal, code: str, name: str, site: str, role: SignRole) -> None:
        """Take the signature of a role back, whoever of that role gave it.

        Raises:
            Conflict: there is none, or the campaign is not under way.
            Forbidden, NotFound: as for ``sign``.
        """
        now = self._clock()
        async with self._database.transaction() as conn:
            found, campaign = await self._signing(conn, principal, code, name, role)
            bridge = await bridge_of(conn, found, site, lock=True)
            [row] = await rows(conn, found, campaign, [bridge["bridge_id"]])
            await write_invalid(conn, [row])
            standing = row.signed.get(role)
            if standing is None or not await signing_store.take_back(conn, standing.id, now, principal.name):
                raise Conflict(f"{row.seat.site} is not signed off as {role}: there is nothing to take back.")
            detail = {**_detail(campaign, role, [row]), "signed_by": standing.author}
            await _told(conn, principal, now, "line_test.take_back", found, detail)

    async def _signing(
        self, conn: Connection, principal: Principal, code: str, name: str, role: SignRole
    ) -> tuple[Course, Campaign]:
        conference, found = await self._line_tests.seen(conn, principal, code)
        _require_signer(principal, conference, role)
        campaign = opened(found, found.find(name))
        if found.state(campaign) != "current":
            raise Conflict(f"The line test {campaign.name} of {found.code} is closed: what is signed stays as it is.")
        return found, campaign


async def write_invalid(conn: Connection, of: Sequence[Row]) -> list[int]:
    """Write down which signatures of these bridges count no more; returns the ids of those that did until now."""
    return await signing_store.invalidate(conn, [each for row in of for each in row.fallen])


def _require_signer(principal: Principal, conference: ConferenceOut, role: SignRole) -> None:
    offices = [conference.office, *conference.co_offices]
    if not may_sign(principal, role, offices):
        raise Forbidden(
            f"This needs the role {_NEEDED[role]} for an office that holds the conference: {', '.join(offices)}."
        )


def _signable(row: Row, role: SignRole) -> bool:
    return row.in_order and role not in row.signed


def _refuse_failing(row: Row, despite: str | None) -> None:
    against = ["its line is attested not to work" if row.line.attested_failure else "its line is down"]
    against = against if row.line.failing else []
    against += [f"{test} failed" for test in row.failed]
    if against and not despite:
        raise Conflict(
            f"{row.seat.site} is not in order: {', '.join(against)}. To sign it off all the same, say why in despite."
        )


def _detail(campaign: Campaign, role: SignRole, signed: Sequence[Row]) -> dict[str, object]:
    return {"campaign": campaign.name, "role": role, "sites": [row.seat.site for row in signed]}


async def _told(
    conn: Connection, principal: Principal, now: datetime, action: str, found: Course, detail: dict[str, object]
) -> None:
    await record(conn, principal, now, action, found.code, detail, office=found.office)
    await notify(conn, TOPIC, str(found.conference_id))


def _utc(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
