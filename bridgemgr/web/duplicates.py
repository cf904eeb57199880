"""Bodies in which an object names a field twice: parsers keep the last one silently (RFC 8259 section 4)."""

import json
import re
from typing import Any

from pydantic import BaseModel

from bridgemgr.errors import Malformed

_NAME_END = re.compile(rb'"\s*:')


def refuse_duplicates(body: bytes, parsed: BaseModel) -> None:
    """Check a body that was taken already.

    Counting costs a hundredth of a check-in, where reading it once more costs a thirtieth. What ends a name may
    also stand inside a text, so a count that differs decides nothing yet; one that does not, does.

    Args:
        parsed: what was made of the body.

    Raises:
        Malformed: an object of it has a name twice.
    """
    if len(_NAME_END.findall(body)) != _names(parsed):
        json.loads(body, object_pairs_hook=_once, parse_int=_unread, parse_float=_unread)


def _names(parsed: BaseModel) -> int:
    """How many names were read: the model's own, and those of the plain objects in its lists, such as a batch's."""
    found = len(parsed.model_fields_set)
    for value in parsed.__dict__.values():
        if type(value) is list:
            found += sum(len(each) for each in value if type(each) is dict)
    return found


def _unread(_text: str) -> None:
    """Numbers do not matter here, and Python refuses to read those of over 4,300 digits."""


def _once(pairs: list[tuple[str, Any]]) -> None:
    names: set[str] = set()
    for name, _ in pairs:
        if name in names:
            shown = name if len(name) <= 50 else f"{name[:50]}…"
            raise Malformed(f'The body names "{shown}" twice in one object: which one counts cannot be told.')
        names.add(name)
