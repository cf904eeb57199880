"""Writes the example file from the model, so that the two cannot differ."""

import json
import textwrap
from collections.abc import Iterator

from bridgemgr.settings.catalogue import CATALOGUE, Setting, plain

_WIDTH = 100
_HEAD = """\
# Settings of bridgemgr: every one, with its default. Written by `bridgemgr check-config --example`.
# Copy it to config/bridgemgr.yaml, keep what differs, and try it with `bridgemgr check-config`.
# "Reload" means that SIGHUP or POST /-/reload takes a change; "restart" that the service must start anew.
"""


def example_yaml() -> str:
    """The text of ``config/bridgemgr.example.yaml``: each setting with what it is for and its default."""
    lines = [_HEAD.rstrip("\n")]
    section = ""
    for one in CATALOGUE:
        lines.append("")
        if len(one.path) > 1 and one.path[0] != section:
            section = one.path[0]
            lines.append(f"{section}:")
        lines += _entry(one, "  " * (len(one.path) - 1))
    return "\n".join(lines) + "\n"


def _entry(one: Setting, indent: str) -> Iterator[str]:
    for paragraph in (one.text, _facts(one)):
        yield from textwrap.wrap(
            paragraph,
            _WIDTH,
            initial_indent=f"{indent}# ",
            subsequent_indent=f"{indent}# ",
            break_long_words=False,
            break_on_hyphens=False,
        )
    value = plain(one.default)
    if isinstance(value, list) and value:
        yield f"{indent}{one.path[-1]}:"
        yield from (f"{indent}  - {_scalar(item)}" for item in value)
    else:
        yield f"{indent}{one.path[-1]}: {_scalar(value)}"


def _facts(one: Setting) -> str:
    facts = [f"Allowed: {one.expected}"]
    if one.unit:
        facts.append(f"Unit: {one.unit}")
    facts.append(f"Default: {_default(one)}")
    facts.append("Reload" if one.reload else "Restart")
    if one.env:
        facts.append(f"Environment: {one.env}")
    return ". ".join(facts) + "."


def _default(one: Setting) -> str:
    value = plain(one.default)
    if value is None:
        return "none"
    return ", ".join(map(str, value)) or "none" if isinstance(value, list) else str(_scalar(value)).strip('"')


def _scalar(value: object) -> str:
    # JSON's scalars are YAML's: null, true, 10, "text".
    return json.dumps(value, ensure_ascii=False)
