"""What every API model shares, and how pydantic's findings are told to people."""

import base64
import binascii
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import ErrorDetails, ValidationError

from bridgemgr.errors import Invalid, Malformed, Problem

NOT_OURS = "This cursor is none of ours: take it from `next` of the page before, unchanged."


class Base(BaseModel):
    """An API body: unknown fields refused, no silent conversions."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class ListQuery(BaseModel):
    """The query of a list: ``limit`` items after ``cursor``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    limit: Annotated[int, Field(ge=1, le=1000, description="items at most")] = 100
    cursor: Annotated[str | None, Field(max_length=500, description="`next` of the page before")] = None

    def after(self) -> str:
        """The key after which this page begins; empty for the first page."""
        return decode_cursor(self.cursor) if self.cursor else ""


def encode_cursor(key: str) -> str:
    """An opaque cursor for the key of a page's last item."""
    return base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> str:
    """The key in a cursor; Invalid when it is none of ours."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        key = base64.b64decode(padded, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        key = "\0"
    if "\0" in key:
        raise Invalid(NOT_OURS)
    return key


def cursor_id(key: str) -> int | None:
    """The id that a cursor's key is; None for the first page; Invalid when it is none of ours."""
    if not key:
        return None
    if not (key.isascii() and key.isdecimal() and len(key) <= 18):
        raise Invalid(NOT_OURS)
    return int(key)


def page_of(items: Sequence[Any], limit: int, key: Any) -> dict[str, Any]:
    """The list envelope from up to ``limit + 1`` items: the extra one only shows that there are more."""
    more = len(items) > limit
    shown = items[:limit]
    return {"items": shown, "next": encode_cursor(key(shown[-1])) if more else None}


_PLAIN = {
    "missing": "is required",
    "extra_forbidden": "is not a known field",
    "json_invalid": "is not valid JSON",
    "timezone_aware": "needs an offset, such as 2026-03-01T08:00:00+07:00",
    "uuid_parsing": "must be a UUID",
    "uuid_type": "must be a UUID",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "string_type": "must be a text",
    "list_type": "must be a list",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "datetime_type": "must be a time such as 2026-03-01T08:00:00+07:00",
    "datetime_parsing": "must be a time such as 2026-03-01T08:00:00+07:00",
    "datetime_from_date_parsing": "must be a time such as 2026-03-01T08:00:00+07:00",
    "date_type": "must be a date such as 2026-03-01",
    "date_from_datetime_parsing": "must be a date such as 2026-03-01",
    "date_parsing": "must be a date such as 2026-03-01",
}


# Those that name a limit, with the name that pydantic gives it.
_LIMITS = {
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be more than {gt}",
    "less_than_equal": "must be at most {le}",
    "less_than": "must be less than {lt}",
    "string_too_long": "must have at most {max_length} characters",
    "string_too_short": "must have at least {min_length} characters",
    "too_long": "must have at most {max_length} items",
    "too_short": "must have at least {min_length} items",
    "literal_error": "must be one of {expected}",
}


def explain(error: ErrorDetails) -> str:
    """One finding of pydantic's, in the reader's terms."""
    if error["type"] == "json_invalid":
        return f"is not valid JSON: {error.get('ctx', {}).get('error', '')}".rstrip(": ")
    if error["type"] == "too_long" and error.get("ctx", {}).get("field_type") == "Value":  # of a text that was cleaned
        return _LIMITS["string_too_long"].format(**error["ctx"])
    if error["type"] in _PLAIN:
        return _PLAIN[error["type"]]
    if error["type"] in _LIMITS:
        return _LIMITS[error["type"]].format(**error.get("ctx", {}))
    return error["msg"].removeprefix("Value error, ").removeprefix("Input ")


def problems(error: ValidationError, root: str = "body") -> list[Problem]:
    """Every finding, each with its place as ``body.items[3].headcount``."""
    found = []
    for detail in error.errors(include_url=False, include_input=False):
        where = root
        for step in detail["loc"]:
            where += f"[{step}]" if isinstance(step, int) else f".{step}"
        found.append(Problem(where, explain(detail)))
    return found


def refuse(error: ValidationError, root: str = "body") -> Invalid:
    """The error to raise for what pydantic found."""
    found = problems(error, root)
    if any(detail["type"] == "json_invalid" for detail in error.errors(include_url=False)):
        return Malformed(f"The {root} is not valid JSON.", problems=found)
    first = f"{found[0].where} {found[0].message}"
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return Invalid(f"{first}{more}.", problems=found)
