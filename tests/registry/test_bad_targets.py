"""A target that is none is refused over the API with its reason, at the field that holds it."""

import pytest

from tests.registry.bad_targets import BAD
from tests.registry.house import House

SITE = {"code": "x05", "name": "Phúc Xá"}


@pytest.mark.parametrize(
    ("method", "path", "body", "field"),
    [
        ("POST", "/api/v1/endpoints", {"core": True, "target": ...}, "target"),
        ("POST", "/api/v1/sites/x05/endpoints", {"target": ...}, "target"),
        ("PATCH", "/api/v1/endpoints/{id}", {"target": ...}, "target"),
        ("PUT", "/api/v1/sites/x05", {"name": "x", "endpoints": ["icmp://10.0.0.1", ...]}, "endpoints[1]"),
        ("PATCH", "/api/v1/sites/x05", {"endpoints": [...]}, "endpoints[0]"),
    ],
)
async def test_a_bad_target_is_refused_at_its_field(
    house: House, method: str, path: str, body: dict, field: str
) -> None:
    await house.ask("an", "POST", "/api/v1/sites", SITE | {"endpoints": ["icmp://10.0.0.1"]})
    _, listed = await house.ask("an", "GET", "/api/v1/sites/x05/endpoints")
    path = path.format(id=listed["items"][0]["id"])
    for bad, reason in BAD.items():
        status, problem = await house.ask("admin", method, path, _with(body, bad))
        assert (status, len(problem["errors"])) == (422, 1), bad
        assert problem["errors"][0]["where"] == f"body.{field}"
        assert reason in problem["errors"][0]["message"]
        assert "secret" not in str(problem)
    assert (await house.ask("an", "GET", "/api/v1/sites/x05"))[1]["endpoints"] == ["icmp://10.0.0.1"]


def _with(body: object, target: str) -> object:
    """``body`` with the target where it says ``...``."""
    if isinstance(body, dict):
        return {name: _with(value, target) for name, value in body.items()}
    if isinstance(body, list):
        return [_with(value, target) for value in body]
    return target if body is ... else body
