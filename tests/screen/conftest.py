from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest

from bridgemgr.db import Database
from tests.conftest import SettableClock
from tests.screen.house import House, Served


@pytest.fixture
async def house(database: Database, clock: SettableClock, keys_dir: Path) -> AsyncIterator[House]:
    """One office and its conference at 08:00, half an hour from now."""
    house = House(database, clock, keys_dir)
    await house.office()
    await house.conference("hn-01", clock.now + timedelta(minutes=30))
    async with house.check_ins.commits.running():
        yield house


@pytest.fixture
async def served(house: House) -> AsyncIterator[Served]:
    async with house.served() as served:
        yield served


@pytest.fixture
async def client(served: Served) -> AsyncIterator[aiohttp.ClientSession]:
    """Nobody yet: a browser's headers and an empty cookie jar."""
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(served.url, cookie_jar=jar, headers={"Accept": "text/html"}) as session:
        yield session


@pytest.fixture
async def operator(house: House, client: aiohttp.ClientSession) -> aiohttp.ClientSession:
    """The client, signed in as an operator of the office."""
    link = await house.user("an")
    await sign_in(client, link)
    return client


async def sign_in(client: aiohttp.ClientSession, link: str) -> None:
    origin = str(client._base_url).rstrip("/")
    answer = await client.post("/sign-in", data={"link": link}, headers={"Origin": origin}, allow_redirects=False)
    assert answer.status == 303, await answer.text()
