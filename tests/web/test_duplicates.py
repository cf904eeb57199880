"""A field that an object names twice is refused by its name, wherever it stands and however it is written."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridgemgr.errors import Malformed
from bridgemgr.web import Base
from bridgemgr.web.duplicates import refuse_duplicates

_LONG = "y" * 60
_LARGE = "9" * 4200


class Inner(Base):
    name: str | None = None
    count: int | None = None


class Body(Base):
    name: str | None = None
    note: str | None = None
    count: int | None = None
    inner: Inner | None = None
    parts: list[Inner] | None = None
    items: list[dict[str, Any]] | None = None


def check(text: str) -> None:
    body = text.encode()
    refuse_duplicates(body, Body.model_validate_json(body))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('{"count": 41, "count": 45}', "count"),
        ('{"count":41,"count":41}', "count"),
        ('{"count" : 41, "name": "a", "count"\n:\t45}', "count"),
        ('{"na\\u006de": "a", "name": "b"}', "name"),
        ('{"name": null, "name": null}', "name"),
        ('{"note": "\\":", "name": "a", "name": "b"}', "name"),
        ('{"inner": {"name": "a", "count": 1, "count": 2}}', "count"),
        ('{"parts": [{}, {"name": "a", "name": "b"}]}', "name"),
        ('{"items": [{"count": 1}, {"count": 1, "count": 2}]}', "count"),
        ('{"items": [{"deep": {"x": 1, "x": 2}}]}', "x"),
        ('{"items": [], "items": [{"a": 1}]}', "items"),
        (f'{{"items": [{{"{_LONG}": 1, "{_LONG}": 2}}]}}', "y" * 50 + "…"),
    ],
)
def test_it_is_named(text: str, name: str) -> None:
    with pytest.raises(Malformed) as refused:
        check(text)
    assert refused.value.message == f'The body names "{name}" twice in one object: which one counts cannot be told.'


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        '{"name": "count\\": 1, \\"count\\": 2", "count": 3}',
        '{"name": "\\\\", "note": "\\":\\":\\":"}',
        '{"name": "a", "inner": {"name": "a"}, "parts": [{"name": "a"}, {"name": "a"}]}',
        '{"items": [{"a": 1}, {"a": 1}, {"a": {"a": [{"a": 1}, {"a": 1}]}}]}',
        f'{{"note": "\\":", "items": [{{"n": {_LARGE}, "f": 1e-999, "g": -0.5}}]}}',
    ],
)
def test_what_only_looks_like_it_is_taken(text: str) -> None:
    check(text)


_TEXTS = st.sampled_from(["a", '":', '\\"', '{"count":1,"count":2}', "{", "é", '" :'])
_NAMES = st.sampled_from(["name", "note", "count", "inner", "parts", "items"])
_PAIR = st.sampled_from(["name", "note", "x", '"', '":'])


@st.composite
def object_of(draw: st.DrawFn, names: st.SearchStrategy[str], depth: int = 0) -> str:
    """JSON text of an object whose names may repeat, with whitespace wherever it may stand."""
    written = []
    for name in draw(st.lists(names, max_size=4)):
        if name == "inner":
            value = draw(object_of(st.sampled_from(["name", "count"]), depth + 1))
        elif name == "parts":
            value = f"[{','.join(draw(st.lists(object_of(st.just('name'), depth + 1), max_size=2)))}]"
        elif name == "items":
            value = f"[{','.join(draw(st.lists(object_of(_PAIR, depth + 1), max_size=3)))}]"
        else:
            value = "7" if name == "count" else json.dumps(draw(_TEXTS))
        written.append(f"{json.dumps(name)}{draw(st.sampled_from(['', ' ', chr(10)]))}:{value}")
    return "{" + ", ".join(written) + "}"


def _repeats(text: str) -> bool:
    found = False

    def look(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal found
        found = found or len(dict(pairs)) < len(pairs)
        return dict(pairs)

    json.loads(text, object_pairs_hook=look)
    return found


@settings(max_examples=500, deadline=None)
@given(object_of(_NAMES))
def test_it_is_refused_exactly_where_a_name_stands_twice(text: str) -> None:
    if _repeats(text):
        with pytest.raises(Malformed):
            check(text)
    else:
        check(text)
