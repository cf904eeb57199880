"""How the agent is, from what lies in its state directory; asks nobody."""

from pathlib import Path
from typing import Any

import orjson

from bridgemgr.agent import account as accounts
from bridgemgr.agent.database import is_running
from bridgemgr.agent.queue import Queue

_LISTED = 100  # of each kind of event that is shown


def status(directory: Path) -> dict[str, Any]:
    """Everything that ``bridgemgr agent status`` shows.

    Returns:
        server, site, running, waiting, oldest_at, kept (events that were sent but not proven, with ``alarm``
        where an answer cannot be believed), rejected (not stored by the server), not_accepted (stored, but
        refused or held), receipts (a count by verdict), last_receipt_at, last_contact_at, trouble, revoked,
        clock_offset (seconds, ours minus the server's), line (round_trip, jitter, loss), conferences.

    Raises:
        NotFound: nothing is enrolled here.
    """
    account = accounts.load(directory)
    with Queue(directory) as queue, queue.snapshot():
        waiting, oldest_at = queue.waiting()
        notes = queue.notes()
        return {
            "server": account.server,
            "site": account.site,
            "running": is_running(directory),
            "waiting": waiting,
            "oldest_at": oldest_at,
            "kept": _events(
                queue, "seq, event_id, attempts, trouble, alarm, body FROM queue WHERE trouble IS NOT NULL"
            ),
            "alarms": queue.rows("SELECT count(*) AS number FROM queue WHERE alarm")[0]["number"],
            "rejected": _events(queue, "seq, event_id, status, problem, rejected_at, body FROM rejected"),
            "not_accepted": _events(
                queue, "seq, event_id, verdict, note, body FROM receipts WHERE verdict <> 'accepted'"
            ),
            "receipts": {
                row["verdict"]: row["number"]
                for row in queue.rows("SELECT verdict, count(*) AS number FROM receipts GROUP BY verdict")
            },
            **{name: notes.get(name) for name in ("last_receipt_at", "last_contact_at", "revoked")},
            "trouble": notes.get("trouble") or notes.get("silence"),
            "clock_offset": notes.get("clock_offset"),
            "line": notes.get("line"),
            "conferences": notes.get("conferences", []),
        }


def _events(queue: Queue, columns: str) -> list[dict[str, Any]]:
    """The newest events of a kind, with what was said in them."""
    found = []
    for row in queue.rows(f"SELECT {columns} ORDER BY seq DESC LIMIT {_LISTED}"):
        event = orjson.loads(row.pop("body"))
        said = {name: event.get(name) for name in ("conference", "kind", "observed_at")}
        if "alarm" in row:
            row["alarm"] = bool(row["alarm"])
        found.append({**row, **said})
    return found


def export_receipts(directory: Path) -> tuple[list[dict[str, Any]], dict[str, bytes]]:
    """Every receipt that is kept, with the event as it was sent, by number; and the pinned keys."""
    with Queue(directory) as queue, queue.snapshot():
        found = queue.rows("SELECT body, verdict, note, receipt FROM receipts ORDER BY seq")
        return [
            {
                "event": orjson.loads(row["body"]),
                "verdict": row["verdict"],
                "note": row["note"],
                "receipt": orjson.loads(row["receipt"]),
            }
            for row in found
        ], queue.keys()
