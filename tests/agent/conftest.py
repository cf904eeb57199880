from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.agent.centre import Centre, centre, furnish
from tests.house.test_openapi import dsn


@pytest.fixture
async def house(database: Any, connect: dict[str, Any], tmp_path: Path) -> AsyncIterator[Centre]:
    """The application over a database with the conference c1."""
    await furnish(database)
    async with centre(database, dsn(connect), tmp_path / "keys") as opened:
        yield opened


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """An empty state directory."""
    return tmp_path / "agent"
