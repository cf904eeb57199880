"""From what a script says to an event: complete, checked by the server's own rules, and normalised."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import orjson
from pydantic import ValidationError

from bridgemgr.attendance.model import CheckInIn, is_future
from bridgemgr.errors import Invalid
from bridgemgr.web.model import refuse

# A conference takes check-ins from an hour before its start; it ends by hand, so often later than planned.
_BEFORE = timedelta(minutes=60)
_AFTER = timedelta(hours=1)


def compose(fields: Mapping[str, Any], site: str | None, now: datetime) -> dict[str, Any]:
    """A check-in as the API takes it, without ``seq``; None among the fields is left out.

    Args:
        fields: what is known of it; ``observed_at`` is a datetime with offset, now where it is missing.
        site: for whom the agent speaks, where that is known.

    Raises:
        Invalid: the server would not take it; nothing of it is kept.
    """
    given = {name: value for name, value in fields.items() if value is not None}
    observed_at: datetime = given.setdefault("observed_at", now)
    if is_future(observed_at, now):
        raise Invalid("observed_at lies in the future by this machine's clock.")
    given["observed_at"] = observed_at.isoformat()
    given["event_id"] = str(uuid4())
    if site is not None:
        given["site"] = site
    try:
        item = CheckInIn.model_validate_json(orjson.dumps(given))
    except ValidationError as error:
        raise refuse(error, "check-in") from None
    except (TypeError, UnicodeEncodeError):
        raise Invalid("A number is too large, or a text is not UTF-8.") from None
    clean = item.model_dump(mode="json", exclude_none=True)
    return {**clean, "observed_at": given["observed_at"]}  # with the offset of the place where it was seen


def choose_conference(known: Sequence[Mapping[str, Any]], at: datetime) -> str:
    """The one conference of this site that takes place at that moment, of those the server told of.

    Raises:
        Invalid: there is none, or more than one.
    """
    held = [
        item["code"]
        for item in known
        if datetime.fromisoformat(item["starts_at"]) - _BEFORE <= at
        and at <= datetime.fromisoformat(item["ends_at"]) + _AFTER
    ]
    if len(held) == 1:
        return str(held[0])
    listed = ", ".join(str(item["code"]) for item in known)
    what = f"Several conferences take place: {', '.join(held)}." if held else "No conference is known to take place."
    more = f" Told of were: {listed}." if listed and not held else ""
    raise Invalid(f"{what}{more} Name it with --conference CODE.")
