"""The form by which a window of maintenance is announced: what was filled in, and what it means. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from bridgemgr.errors import BridgemgrError, Invalid
from bridgemgr.health.maintenance_model import LONGEST
from bridgemgr.readiness.windows import KINDS, Kind
from bridgemgr.screen.language import N_
from bridgemgr.tables import localise
from bridgemgr.text import Unfit, fit

NO_WHAT = N_("Say what is worked on: the code or name of a site, of an area, or a line's target.")
NOTHING = N_("There is nothing like this. Compare the code or name, and whether it is a site, an area or a line.")
SEVERAL = N_("Several fit. Choose one.")
NO_TIME = N_("The times cannot be read, or clocks do not show them on that day. Write day and time of both.")
NOT_AFTER = N_("The end must lie after the beginning.")
TOO_LONG = N_("A window lasts at most 31 days. Announce another when it ends.")
PAST = N_("The end must lie in the future: what was down before is an incident.")
NO_REASON = N_("Write what is done, at most 500 characters on one line.")
NOT_YOURS = N_("Another office keeps it, or part of it: ask that office to announce the window.")
PROBLEMS = (NO_WHAT, NOTHING, SEVERAL, NO_TIME, NOT_AFTER, TOO_LONG, PAST, NO_REASON, NOT_YOURS)

_USUAL = timedelta(hours=2)
_REASON = 500


@dataclass(frozen=True, slots=True)
class Draft:
    """A form as it was filled in.

    Attributes:
        what: what was typed: a code, a path, a number or part of a name.
        key: what was chosen of several that fit; empty where nothing was.
        begin, end: local times, ``2026-03-02T09:00``.
    """

    kind: Kind
    what: str
    key: str
    begin: str
    end: str
    reason: str


def read(fields: Mapping[str, str], zone: str, now: datetime) -> Draft:
    """What was filled in; from the next whole minute on for two hours where no times were."""
    kind = next((each for each in KINDS if each == fields.get("kind")), KINDS[0])
    begin = now.astimezone(ZoneInfo(zone)).replace(second=0, microsecond=0, tzinfo=None)
    return Draft(
        kind,
        fields.get("what", "").strip()[:255],
        fields.get("key", "").strip()[:255],
        fields.get("from", f"{begin:%Y-%m-%dT%H:%M}"),
        fields.get("to", f"{begin + _USUAL:%Y-%m-%dT%H:%M}"),
        fields.get("reason", "").strip(),
    )


def times(draft: Draft, zone: str, now: datetime) -> tuple[datetime, datetime]:
    """Begin and end in UTC by the clocks of a zone.

    Raises:
        Invalid: one of PROBLEMS.
    """
    try:
        begin, end = (localise(datetime.fromisoformat(text), ZoneInfo(zone)) for text in (draft.begin, draft.end))
    except (ValueError, BridgemgrError):
        raise Invalid(NO_TIME) from None
    if end <= begin:
        raise Invalid(NOT_AFTER)
    if end - begin > LONGEST:
        raise Invalid(TOO_LONG)
    if end <= now:
        raise Invalid(PAST)
    return begin, end


def reason(draft: Draft) -> str:
    """Why, as it is stored; Invalid where it is none."""
    try:
        return fit(draft.reason, max_length=_REASON, required=True)
    except Unfit:
        raise Invalid(NO_REASON) from None
