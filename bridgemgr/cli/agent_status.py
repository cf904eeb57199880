"""How ``bridgemgr agent status`` reads."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from bridgemgr.cli.output import cell

_FEW = 5  # of each kind of event; --json shows more


def lines(found: Mapping[str, Any]) -> Iterator[str]:
    """The status as a person wants to read it: what needs a hand first."""
    yield from _needs_a_hand(found)
    for name, value in _facts(found):
        yield f"{name:<13} {value}"
    yield from _listed("rejected by the server, not stored (bridgemgr agent retry sends them again)", found["rejected"])
    yield from _listed("sent, but not proven; sent again", found["kept"])
    yield from _listed("stored, but not accepted", found["not_accepted"])


def _needs_a_hand(found: Mapping[str, Any]) -> Iterator[str]:
    if found["revoked"]:
        yield (
            f"THE CREDENTIAL IS NOT VALID ANY MORE (since {_time(found['revoked']['at'])}):"
            f" {found['revoked']['said']}\n"
            "Nothing is lost. Ask the office for a new code, then: bridgemgr agent enrol CODE --replace"
        )
    if found["alarms"]:
        yield (
            f"ALARM: {found['alarms']} events were answered with receipts that do not verify. They stay in the queue;"
            " tell the office."
        )
    if not found["running"]:
        yield "No agent is running here: nothing is being sent. Start it: bridgemgr agent run"


def _facts(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "server", found["server"]
    yield "site", found["site"] or "not known yet"
    oldest = f", the oldest observed {_time(found['oldest_at'])}" if found["oldest_at"] else ""
    yield "waiting", f"{found['waiting']:,}{oldest}"
    yield "receipts", ", ".join(f"{number:,} {verdict}" for verdict, number in found["receipts"].items()) or "none"
    yield "last receipt", _time(found["last_receipt_at"])
    yield "last contact", _time(found["last_contact_at"])
    if found["clock_offset"] is not None:
        yield "clock", f"{found['clock_offset']:+.3f} s against the server's"
    line = found["line"] or {}
    if line.get("round_trip") is not None:
        jitter = f", jitter {line['jitter'] * 1000:.1f} ms" if line.get("jitter") is not None else ""
        yield "line", f"round trip {line['round_trip'] * 1000:.1f} ms{jitter}, loss {line['loss']:.0%}"
    elif line.get("loss"):
        yield "line", "no answer to the last requests"
    if found["trouble"]:
        yield "last trouble", f"{_time(found['trouble']['at'])}: {found['trouble']['said']}"
    if found["conferences"]:
        yield "conferences", ", ".join(each["code"] for each in found["conferences"])


def _time(moment: str | None) -> str:
    """By this machine's zone, in which events are entered too."""
    return cell(datetime.fromisoformat(moment).astimezone()) if moment else "never"


def _listed(title: str, events: list[dict[str, Any]]) -> Iterator[str]:
    if not events:
        return
    yield f"{title}:"
    for event in events[:_FEW]:
        why = event.get("problem") or event.get("trouble") or f"{event.get('verdict')}: {event.get('note')}"
        yield f"  {event['seq']} {event['event_id']} {event['conference']} {event['kind']}: {why}"
    if len(events) > _FEW:
        yield f"  and {len(events) - _FEW} more: --json shows them"
