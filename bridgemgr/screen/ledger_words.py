"""The words of a bridge's ledger, line by line, ready for its page."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from markupsafe import Markup

from bridgemgr.attendance.model import TESTED
from bridgemgr.readiness.ledger import Amendment, Line, Status
from bridgemgr.screen.language import N_, Reader
from bridgemgr.screen.ledger_bundles import Bundle

KIND_WORDS: Mapping[str, str] = {
    "ready": N_("reported ready"),
    "test": N_("line tested"),
    "headcount": N_("headcount reported"),
    "arrive": N_("delegate came"),
    "leave": N_("delegate left"),
    "absent": N_("reported absent"),
    "end": N_("reported leaving"),
    "correct": N_("correction of an entry"),
    "void": N_("entry taken back"),
    "admit": N_("admitted"),
    "dismiss": N_("dismissed"),
}
SOURCE_WORDS: Mapping[str, str] = {
    "operator": N_("written by an operator"),
    "phone": N_("told over the telephone"),
    "page": N_("sent from the site's page"),
    "agent": N_("sent by a program at the site"),
    "paper": N_("entered from a paper list"),
}
MODE_WORDS: Mapping[str, str] = {"in_person": N_("there in person"), "online": N_("there online")}
TEST_WORDS: Mapping[tuple[str, bool], str] = {
    ("picture", True): N_("the picture works"),
    ("picture", False): N_("the picture does not work"),
    ("sound", True): N_("the sound works"),
    ("sound", False): N_("the sound does not work"),
    ("backup", True): N_("the backup line works"),
    ("backup", False): N_("the backup line does not work"),
}
LEAVE_WORDS: Mapping[bool, str] = {True: N_("leave given"), False: N_("no leave given")}
BECAME_WORDS: Mapping[Status, str] = {
    "counts": N_("counts"),
    "corrected": N_("counts as corrected"),
    "voided": N_("does not count: taken back"),
    "held": N_("held until an operator decides"),
    "dismissed": N_("does not count: dismissed"),
    "refused": N_("does not count: refused"),
}
# What a correction of each kind may put right.
_CORRECTABLE: Mapping[str, tuple[str, ...]] = {
    "headcount": ("headcount",),
    "arrive": ("delegate", "mode"),
    "leave": ("delegate",),
    "absent": ("excused",),
}


_RUNS_SHOWN = 12


def bundle(reader: Reader, each: Bundle, now: datetime) -> dict[str, Any]:
    """Lines that stand together as the template shows them: their rows, and one that speaks for all."""
    rows = [row(reader, line, now) for line in each.lines]
    if len(rows) == 1:
        return {"rows": rows, "lead": None}
    observed = [line.observed_at for line in each.lines]
    shown = [f"{first}–{last}" if last > first else str(first) for first, last in each.numbers[:_RUNS_SHOWN]]
    lead = {
        **rows[0],
        "observed": [_time(reader, moment, now) for moment in sorted({min(observed), max(observed)})],
        "numbers": ", ".join(shown) + (" …" if len(each.numbers) > _RUNS_SHOWN else ""),
        "value": _manner(reader, each.first),
        "decides": any(row["decides"] for row in rows),
    }
    return {"rows": rows, "lead": lead}


def row(reader: Reader, line: Line, now: datetime) -> dict[str, Any]:
    """A line of the ledger as the template shows it; ``form`` names what can be put right, None for nothing."""
    return {
        "id": line.event_id,
        "received": _time(reader, line.received_at, now),
        "observed": _time(reader, line.observed_at, now),
        "kind": reader.say(KIND_WORDS[line.kind]),
        "value": _value(reader, line),
        "source": source(reader, line.source),
        "author": author(line.author, line.device),
        "became": reader.say(BECAME_WORDS[line.status]),
        "status": line.status,
        "said": [each for each in (line.reason, line.note) if each],
        "refusal": _refusal(reader, line.verdict_note) if line.status == "refused" else None,
        "clock_odd": line.clock_odd,
        "corrects": line.corrects,
        "decides": line.decides,
        "amendments": [_amendment(reader, each, now) for each in line.amendments],
        "form": _form(line),
        "line": line,
    }


def source(reader: Reader, name: str) -> Markup:
    """How something came in."""
    return reader.say(SOURCE_WORDS[name])


def author(name: str, device: str | None) -> str:
    """Who it was, without the sort of principal: a device by its own name."""
    return device if device is not None else name.partition(":")[2] or name


def _refusal(reader: Reader, note: str | None) -> Markup:
    """Why it was refused: a sentence of the ledger's own, translated where another page says it too."""
    if note is not None and note in reader.messages:
        return reader.say(note)
    return Markup('<bdi lang="en">{}</bdi>').format(note or "")


def _form(line: Line) -> tuple[str, ...] | None:
    if line.status not in ("counts", "corrected") or line.kind in ("void", "admit", "dismiss"):
        return None
    if line.kind == "absent" and line.delegate is None:
        return ()
    return _CORRECTABLE.get(line.kind, ())


def _amendment(reader: Reader, each: Amendment, now: datetime) -> dict[str, Any]:
    return {
        "id": each.event_id,
        "kind": reader.say(KIND_WORDS[each.kind]),
        "value": _value(reader, each),
        "author": author(each.author, None),
        "at": _time(reader, each.received_at, now),
        "reason": each.reason or "",
    }


def _value(reader: Reader, event: Line | Amendment) -> Markup:
    parts: list[str] = []
    if event.headcount is not None:
        parts.append(reader.number(event.headcount))
    if event.delegate is not None:
        parts.append(reader.say(N_("delegate no. {number}"), number=event.delegate))
    if isinstance(event, Line):
        parts += [reader.say(TEST_WORDS[name, works]) for name in TESTED if (works := getattr(event, name)) is not None]
    parts += filter(None, [_manner(reader, event)])
    return Markup(" · ").join(parts)


def _manner(reader: Reader, event: Line | Amendment) -> Markup:
    parts: list[str] = []
    if event.mode is not None:
        parts.append(reader.say(MODE_WORDS[event.mode]))
    if event.excused is not None:
        parts.append(reader.say(LEAVE_WORDS[event.excused]))
    return Markup(" · ").join(parts)


def _time(reader: Reader, moment: datetime, now: datetime) -> dict[str, str]:
    return {"iso": moment.isoformat(), "text": reader.when(moment, now)}
