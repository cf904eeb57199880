"""The API describes itself, truly: the document is valid, and lists what is served and nothing else."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from aiohttp.test_utils import TestClient, TestServer
from openapi_spec_validator import OpenAPIV31SpecValidator

from bridgemgr.app import App
from bridgemgr.db import Database
from bridgemgr.services import open_services
from bridgemgr.settings import Settings


@pytest.fixture
async def app(database: Database, connect: dict[str, Any], tmp_path: Path) -> AsyncIterator[App]:
    settings = Settings.model_validate({"database": {"dsn": dsn(connect)}, "keys_dir": str(tmp_path / "keys")})
    async with open_services(settings) as services:
        yield App(services, lambda: settings)


def dsn(connect: dict[str, Any]) -> str:
    if "dsn" in connect:
        return str(connect["dsn"])
    where = urlencode({name: connect[name] for name in ("host", "port", "user")})
    return f"postgresql:///{connect['database']}?{where}"


@pytest.fixture
async def document(app: App) -> AsyncIterator[dict[str, Any]]:
    async with (
        TestClient(TestServer(app.application())) as client,
        client.get("/api/v1/openapi.json") as response,
    ):
        assert response.status == 200
        yield await response.json()


async def test_the_document_is_valid(document: dict[str, Any]) -> None:
    errors = list(OpenAPIV31SpecValidator(document).iter_errors())
    assert [f"{'/'.join(map(str, error.absolute_path))}: {error.message}" for error in errors] == []


async def test_the_document_lists_what_is_served(app: App, document: dict[str, Any]) -> None:
    served = {
        (route.method, route.resource.canonical)
        for route in app.application().router.routes()
        if route.resource is not None and route.resource.canonical.startswith("/api/")
    }
    described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert described == served - {("GET", "/api/v1/openapi.json")}


async def test_every_operation_says_what_it_does(document: dict[str, Any]) -> None:
    operations = [found for methods in document["paths"].values() for found in methods.values()]
    assert all(found["summary"] and found["tags"] for found in operations)
    names = [found["operationId"] for found in operations]
    assert sorted(names) == sorted(set(names))
