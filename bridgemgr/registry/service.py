"""The registry: what stands for years, shared by all offices."""

from collections.abc import Callable
from datetime import datetime

from bridgemgr.accounts.identity import Identity
from bridgemgr.db import Database
from bridgemgr.registry.areas import Areas
from bridgemgr.registry.devices import Devices
from bridgemgr.registry.endpoints import Endpoints
from bridgemgr.registry.model import CheckTarget
from bridgemgr.registry.sites import Sites


class Registry:
    """The use cases of the registry by noun.

    Args:
        check_target: gives the canonical text of an endpoint's target, or raises Invalid.

    Attributes:
        areas, sites, endpoints, devices: the use cases of each.
    """

    def __init__(
        self, database: Database, identity: Identity, clock: Callable[[], datetime], check_target: CheckTarget
    ) -> None:
        self.areas = Areas(database, clock)
        self.sites = Sites(database, clock, check_target)
        self.endpoints = Endpoints(database, clock, check_target)
        self.devices = Devices(database, clock, identity)
