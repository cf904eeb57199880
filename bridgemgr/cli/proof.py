"""What receipts prove: finds them in the documents that people keep, and checks them and their events."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pydantic import ValidationError, model_validator

from bridgemgr.attendance.model import CheckInIn
from bridgemgr.errors import Invalid, Malformed
from bridgemgr.receipts import content_hash, verify
from bridgemgr.web.model import refuse

_LISTS = ("items", "receipts", "events")
_DEPTH = 3  # lines of batch answers, each with its items


@dataclass(frozen=True, slots=True)
class Found:
    """A place in a file where a receipt should be.

    Attributes:
        where: ``line 3``, ``items[2]``; empty where the file holds nothing else.
        receipt: None where none was given.
        event_id: the event that the receipt is said to be of; None where nothing is said.
        event: the event that stands beside the receipt, such as in what GET /api/v1/check-ins/{id} answers.
        problem: why the place cannot be read at all.
        decides: whether it is of what was decided of a held event. Such a receipt says accepted whatever was
            decided, because the decision was; which one it is stands in its content alone.
    """

    where: str
    receipt: Any = None
    event_id: Any = None
    event: Mapping[str, Any] | None = None
    problem: str | None = None
    decides: bool = False


@dataclass(frozen=True, slots=True)
class Proof:
    """What a good receipt proves.

    Attributes:
        received_at, verdict, kid: as the receipt has them; the key's owner vouches for them.
        content: the fields of the event that the receipt's hash covers; None where no event was given.
    """

    event_id: str
    received_at: str
    verdict: str
    kid: str
    content: Mapping[str, Any] | None


class _Recorded(CheckInIn):
    """An event of any time: which fields fit which kind is no matter of its hash, and changes."""

    kind: str  # type: ignore[assignment]  # an operator's decisions too, which nobody may send

    @model_validator(mode="after")
    def _fits_its_kind(self) -> "_Recorded":
        return self


def documents(text: str, name: str) -> list[tuple[str, Any]]:
    """The JSON documents of a file with their places: the one that it is, or one a line (JSON lines).

    Raises:
        Malformed: it is neither. A single line that is not JSON has a Found with its problem as document.
    """
    try:
        return [("", _parse(text))]
    except (ValueError, RecursionError) as error:
        whole = error
    lines = [(f"line {number}", _parse_line(line)) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    if len(lines) < 2 or not any(isinstance(document, dict) for _, document in lines):
        raise Malformed(f"{name} is not JSON that can be relied on: {_why(whole)}.")
    return lines


def _parse_line(line: str) -> Any:
    try:
        return _parse(line)
    except (ValueError, RecursionError) as error:
        return Found("", problem=f"This is not JSON that can be relied on: {_why(error)}.")


def _parse(text: str) -> Any:
    """JSON of which there is one reading: no name twice, no NaN, no negative zero (RFC 8259 sections 4 and 6)."""
    return json.loads(text, object_pairs_hook=_once, parse_constant=_refuse, parse_int=_whole)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("an object names a field twice")
    return found


def _refuse(text: str) -> Any:
    raise ValueError(f"{text} is no number")


def _whole(text: str) -> int:
    if text == "-0" or len(text) > 20:
        raise ValueError("a number is written as no program writes it")
    return int(text)


def _why(error: Exception) -> str:
    return "it is nested too deeply" if isinstance(error, RecursionError) else str(error)


def receipts_in(where: str, document: Any, depth: int = _DEPTH) -> Iterator[Found]:
    """Every place of a document where a receipt is or should be."""
    if isinstance(document, Found):
        yield Found(where, problem=document.problem)
        return
    if not depth or (inner := _inner(where, document)) is None:
        yield from _of_object(where, document)
        return
    for place, entry in inner:
        yield from receipts_in(place, entry, depth - 1)


def _inner(where: str, document: Any) -> list[tuple[str, Any]] | None:
    """The entries of a list, or of an object around one, with their places; None for anything else."""
    if isinstance(document, list):
        return [(f"{where}[{index}]", entry) for index, entry in enumerate(document)]
    if isinstance(document, dict):
        for name in _LISTS:
            if isinstance(document.get(name), list):
                return _inner(f"{where}.{name}".lstrip("."), document[name])
    return None


def _of_object(where: str, document: Any) -> Iterator[Found]:
    if not isinstance(document, dict):
        yield Found(where)
    elif "signature" in document:
        yield Found(where, document)
    else:
        yield Found(where, document.get("receipt"), document.get("event_id"), _event(document))
        decision = document.get("decision")
        if isinstance(decision, dict):
            place = f"{where}.decision".lstrip(".")
            yield Found(place, decision.get("receipt"), decision.get("event_id"), decides=True)


def events_in(document: Any, depth: int = _DEPTH) -> Iterator[Mapping[str, Any]]:
    """Every event of a document: as it was sent, or as GET /api/v1/check-ins/{id} shows it."""
    inner = _inner("", document)
    if depth and inner is not None:
        for _, entry in inner:
            yield from events_in(entry, depth - 1)
    elif isinstance(document, dict) and (event := _event(document)) is not None:
        yield event


def _event(document: Mapping[str, Any]) -> Mapping[str, Any] | None:
    inner = document.get("event")
    if isinstance(inner, dict):
        return inner
    return document if "kind" in document and "observed_at" in document else None


class Events:
    """Events to compare receipts with, by their id.

    Args:
        site: the code of the site that sent those that name none: a device does not.
    """

    def __init__(self, events: Sequence[Mapping[str, Any]], site: str | None) -> None:
        self._site = site
        self._by_id: dict[str | None, list[Mapping[str, Any]]] = {}
        for event in events:
            self._by_id.setdefault(_id(event.get("event_id")), []).append(event)

    def contents(self, event_id: str, beside: Mapping[str, Any] | None) -> list[dict[str, Any]]:
        """What the hash of the receipt must cover, by each event that is given for it.

        Raises:
            Invalid: an event cannot be read, or events were given and this one is not among them.
        """
        given = self._by_id.get(event_id, [])
        if self._by_id and not given:
            raise Invalid(f"No event with the id {event_id} was given to compare with.")
        return [self._content(event) for event in [*given, *([beside] if beside is not None else [])]]

    def _content(self, event: Mapping[str, Any]) -> dict[str, Any]:
        fields = {name: event[name] for name in _Recorded.model_fields if event.get(name) is not None}
        try:
            item = _Recorded.model_validate_json(json.dumps(fields))
        except ValidationError as error:
            raise refuse(error, "event") from None
        site = item.site or self._site
        if site is None:
            raise Invalid("The event does not name its site. Say which one sent it with --site CODE.")
        return item.content(site)


def prove(found: Found, keys: Mapping[str, bytes], events: Events) -> Proof:
    """What a receipt proves by these published keys and events.

    Raises:
        Invalid: nothing; the message says why.
    """
    if found.problem is not None:
        raise Invalid(found.problem)
    if not isinstance(found.receipt, dict):
        raise Invalid("There is no receipt here: nothing says that it was stored.")
    verify(found.receipt, keys)
    event_id = found.receipt["event_id"]
    if found.event_id is not None and _id(found.event_id) != event_id:
        raise Invalid(f"This is the receipt of another event, {event_id}.")
    contents = events.contents(event_id, found.event)
    if any(content_hash(content).hex() != found.receipt["content_hash"] for content in contents):
        raise Invalid(f"The receipt of {event_id} was issued for other content, or another site, than the event has.")
    shown = contents[0] if contents else None
    return Proof(event_id, found.receipt["received_at"], found.receipt["verdict"], found.receipt["kid"], shown)


def _id(value: Any) -> str | None:
    try:
        return str(UUID(value))
    except (ValueError, TypeError, AttributeError):
        return None
