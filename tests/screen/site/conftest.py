"""Browsers for the site's page: each a device of its own, with its own profile on disk."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import BrowserContext, async_playwright

from bridgemgr.db import Database
from tests.screen.site.house import Authority, SiteHouse, authority
from tests.screen.site.steps import Devices
from tests.tools import need

_ARGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture
async def house(database: Database, keys_dir: Path, tls: Authority) -> AsyncIterator[SiteHouse]:
    house = SiteHouse(database, keys_dir, tls.context)
    await house.furnish()
    async with house.check_ins.commits.running():
        yield house


@pytest.fixture
async def device(tls: Authority, tmp_path: Path) -> AsyncIterator[Devices]:
    """Browsers of their own, each with a profile on disk; no error may reach their console."""
    need("chromium")
    async with async_playwright() as playwright:
        count = 0

        @asynccontextmanager
        async def opened(*args: str, **options: Any) -> AsyncIterator[BrowserContext]:
            nonlocal count
            count += 1
            given = {"viewport": {"width": 390, "height": 844}, "locale": "en-GB", **options}
            context = await playwright.chromium.launch_persistent_context(
                tmp_path / f"profile-{count}",
                executable_path="/usr/bin/chromium",
                args=[*_ARGS, *args, f"--ignore-certificate-errors-spki-list={tls.pin}"],
                timezone_id="Asia/Ho_Chi_Minh",
                **given,
            )
            errors: list[str] = []
            context.on("weberror", lambda error: errors.append(str(error.error)))
            context.on("console", lambda said: errors.append(said.text) if _bad(said) else None)
            yield context
            assert errors == []
            await context.close()

        yield opened


def _bad(said: Any) -> bool:
    # That a line is down is no error of the page's.
    return said.type == "error" and "Failed to load resource" not in said.text
