"""Every room's use cases put together over one database; also the one place that owns the clock."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from bridgemgr.accounts.credentials import Pepper
from bridgemgr.accounts.identity import Identity
from bridgemgr.accounts.keys import ReceiptKeys, check_keys
from bridgemgr.accounts.service import Accounts
from bridgemgr.attendance.rosters import Rosters
from bridgemgr.attendance.rosters_marks import RosterMarks
from bridgemgr.attendance.service import CheckIns, Limits
from bridgemgr.conferences.invitations import Invitations
from bridgemgr.conferences.service import Conferences
from bridgemgr.db import Database
from bridgemgr.db.opening import open_database
from bridgemgr.health.heartbeats import Heartbeats
from bridgemgr.health.history import History
from bridgemgr.health.history_availability import Availability
from bridgemgr.health.registering import TargetCheck
from bridgemgr.health.service import HealthService
from bridgemgr.readiness.details import Details
from bridgemgr.readiness.line_tests import LineTests
from bridgemgr.readiness.line_tests_signatures import Signatures
from bridgemgr.readiness.service import Readiness, rules_of
from bridgemgr.readiness.troubles import Troubles
from bridgemgr.readiness.windows import Windows
from bridgemgr.receipts import Signer
from bridgemgr.registry.service import Registry
from bridgemgr.reports.service import Reports
from bridgemgr.settings import Settings


def utc_now() -> datetime:
    """The service's clock."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Services:
    """Every room's use cases, over one database; what the API, the pages and the command line call."""

    settings: Settings
    clock: Callable[[], datetime]
    database: Database
    identity: Identity
    accounts: Accounts
    keys: ReceiptKeys
    check_target: TargetCheck
    registry: Registry
    conferences: Conferences
    invitations: Invitations
    check_ins: CheckIns
    rosters: Rosters
    marks: RosterMarks
    health: HealthService
    heartbeats: Heartbeats
    history: History
    availability: Availability
    readiness: Readiness
    details: Details
    line_tests: LineTests
    signatures: Signatures
    troubles: Troubles
    windows: Windows
    reports: Reports


@asynccontextmanager
async def open_services(settings: Settings, clock: Callable[[], datetime] = utc_now) -> AsyncIterator[Services]:
    """Connect to the database (starting the embedded one where none is named), migrate, build the rooms."""
    async with open_database(settings) as database:
        signer, pepper = Signer(settings.keys_path), Pepper(settings.keys_path)
        await check_keys(database, pepper, settings.keys_path)
        keys = ReceiptKeys(database, signer, clock)
        await keys.publish()
        identity = Identity(database, pepper, clock)
        limits = settings.check_ins
        groups = Limits(limits.group_max, limits.writers, limits.queue_max)
        check_ins = CheckIns(database, signer, clock, groups)
        check_target = TargetCheck(settings.probes.allow)
        readiness = Readiness(database, clock, rules_of(settings))
        line_tests = LineTests(database, check_ins, settings.line_tests.before_min, clock)
        yield Services(
            settings=settings,
            clock=clock,
            database=database,
            identity=identity,
            accounts=Accounts(database, pepper, clock),
            keys=keys,
            check_target=check_target,
            registry=Registry(database, identity, clock, check_target),
            conferences=Conferences(database, clock),
            invitations=Invitations(database, identity, clock, settings.site_url),
            check_ins=check_ins,
            rosters=Rosters(database, clock),
            marks=RosterMarks(database, check_ins, clock),
            health=HealthService(database, clock),
            heartbeats=Heartbeats(database),
            history=History(database, clock),
            availability=Availability(database, clock),
            readiness=readiness,
            details=Details(readiness, database),
            line_tests=line_tests,
            signatures=Signatures(line_tests, database, clock),
            troubles=Troubles(database, clock),
            windows=Windows(database, clock),
            reports=Reports(database),
        )
