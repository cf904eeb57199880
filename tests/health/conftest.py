import asyncio

import pytest
import uvloop

from tests.health.desk import desk  # noqa: F401 - a fixture of this room
from tests.health.hostile import make_certificate, make_expired


def pytest_asyncio_loop_factories(config, item):
    """Probers run on both loops: sockets handed to the loop are where the two differ."""
    factories = {"asyncio": asyncio.new_event_loop}
    if item.path.name.startswith("test_probers_"):
        factories["uvloop"] = uvloop.new_event_loop
    return factories


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """Certificate and key, valid from the day before hostile.NOW until 90 days after it."""
    return make_certificate(tmp_path_factory.mktemp("valid"))


@pytest.fixture(scope="session")
def expired(tmp_path_factory):
    """Certificate and key, expired a day before hostile.NOW."""
    return make_expired(tmp_path_factory.mktemp("expired"))
