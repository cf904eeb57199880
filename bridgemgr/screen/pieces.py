"""The parts of a board that are rendered both for its page and for its event stream."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from bridgemgr.readiness.api import totals_document
from bridgemgr.readiness.model import BridgeView, Totals
from bridgemgr.readiness.quorum import COUNTED, of
from bridgemgr.readiness.reasons import CHECK_INS_ASKED
from bridgemgr.readiness.service import ConferenceHead, ConferenceView
from bridgemgr.screen import readiness_words, wording
from bridgemgr.screen.language import N_, Reader
from bridgemgr.screen.model import CallFor, Group, Show, calls, mark, shown_by, under_way
from bridgemgr.screen.render import Templates
from bridgemgr.text import first_number

# The call list is sent with every change of it; who has more to call works by a filter.
_CALLS_SHOWN = 12
# Rendered between two turns of the event loop: 500 cells that are in no cache take about 8 ms.
_SLICE = 500


class Pieces:
    """Renders cells, areas, figures and the call list."""

    def __init__(self, templates: Templates) -> None:
        self._templates = templates
        # Most cells of a board stay as they are from one page to the next: about 1 kB each, 65 MB at most.
        self._cell_html = lru_cache(maxsize=65_536)(self._render_cell)
        self._label = lru_cache(maxsize=16_384)(self._write_label)

    def cell(self, reader: Reader, head: ConferenceHead, bridge: BridgeView) -> dict[str, Any]:
        """A cell as the stream and the snapshot carry it."""
        return {
            "site": bridge.site,
            "state": mark(bridge),
            "shows": " ".join(shown_by(bridge)),
            "label": self.label(reader, head, bridge),
        }

    def label(self, reader: Reader, head: ConferenceHead, bridge: BridgeView) -> str:
        """What a cell says in words: state, delegates, and until the end the line."""
        health = None if head.over else bridge.health
        # The plain words for a line are found only where the label is not known yet.
        line = str(wording.line(reader, bridge)) if bridge.attested or bridge.unknown_lines else ""
        shape = mark(bridge)
        return self._label(reader.language, shape, bridge.state, bridge.present, bridge.expected, health, line)

    def _write_label(
        self,
        language: str,
        shape: str,
        state: str,
        present: int | None,
        expected: int,
        health: str | None,
        line: str,
    ) -> str:
        reader = self._templates.readers[language]
        said = [line if shape == "trouble" and line else str(reader.say(wording.MARK_WORDS[shape]))]  # type: ignore[index]
        if shape in ("trouble", "contradiction"):
            said.append(str(reader.say(wording.MARK_WORDS[state])))  # type: ignore[index]
        there = "–" if present is None else reader.number(present)
        said.append(f"{there}/{reader.number(expected)}")
        if health is not None and shape != "trouble":
            said.append(line or str(reader.say(wording.LINE_WORDS[health])))
        return " · ".join(said)

    def _render_cell(
        self, language: str, conference: str, site: str, name: str, shape: str, shows: str, label: str
    ) -> Markup:
        return self._templates.piece(
            "cell.html",
            self._templates.readers[language],
            conference=conference,
            site=site,
            name=name,
            state=shape,
            shows=shows,
            label=label,
        )

    async def areas(self, reader: Reader, head: ConferenceHead, groups: Sequence[Group]) -> list[Markup]:
        """Every area with its cells, in slices, so that a large board holds nobody else up."""
        only = len(groups) == 1
        done: list[Markup] = []
        since = 0
        for group in groups:
            cells = []
            for bridge in group.bridges:
                cells.append(self._cell(reader, head, bridge))
                since += 1
                if since >= _SLICE:
                    since = 0
                    await asyncio.sleep(0)
            done.append(
                self._templates.piece(
                    "area.html",
                    reader,
                    group=group,
                    only=only,
                    tally=tally(reader, group),
                    cells=Markup("").join(cells),
                )
            )
        return done

    def _cell(self, reader: Reader, head: ConferenceHead, bridge: BridgeView) -> Markup:
        return self._cell_html(
            reader.language,
            head.code,
            bridge.site,
            bridge.name,
            mark(bridge),
            " ".join(shown_by(bridge)),
            self.label(reader, head, bridge),
        )

    async def attendance_rows(
        self, reader: Reader, head: ConferenceHead, groups: Sequence[Group], now: datetime
    ) -> list[Markup]:
        """The rows of every area, in slices, so that a long table holds nobody else up."""
        done: list[Markup] = []
        since = 0
        for group in groups:
            done.append(
                self._templates.piece("attendance_rows.html", reader, head=head, group=group, over=head.over, now=now)
            )
            since += len(group.bridges)
            if since >= _SLICE:
                since = 0
                await asyncio.sleep(0)
        return done

    def figures(self, reader: Reader, view: ConferenceView, now: datetime) -> Markup:
        """How ready it is and why not more, the five figures, and when the quorums were reached and lost."""
        totals, hours = view.totals, view.head.hours(now)
        against = readiness_words.told(reader, view.head, view.standing(now), now) if under_way(view.head) else None
        return self._templates.piece(
            "figures.html",
            reader,
            head=view.head,
            totals=totals,
            over=view.head.over,
            now=now,
            against=against,
            asked=hours.asks_for_check_ins,
            asked_from=view.head.starts_at - CHECK_INS_ASKED,
            quorums=[
                {"counted": counted, "now": quorum, "snapshots": of(view.snapshots, counted)}
                for counted, quorum in zip(COUNTED, (totals.quorum, totals.bridge_quorum), strict=True)
                if quorum is not None
            ],
        )

    def call_list(self, reader: Reader, head: ConferenceHead, groups: Sequence[Group], now: datetime) -> Markup:
        """Whom to call now."""
        found = calls(head, groups, now)
        rows = [_row(reader, head, call, now) for call in found[:_CALLS_SHOWN]]
        return self._templates.piece(
            "calls.html", reader, head=head, rows=rows, count=len(found), more=len(found) - len(rows)
        )

    def parts(self, reader: Reader, view: ConferenceView, groups: Sequence[Group], now: datetime) -> dict[str, Any]:
        """What an event and a snapshot carry beside the cells."""
        head, totals = view.head, view.totals
        return {
            "status": head.status,
            "totals": totals_document(totals),
            "counts": counts(reader, head, totals),
            "figures": self.figures(reader, view, now),
            "calls": self.call_list(reader, head, groups, now),
            "areas": [
                {"key": group.key, "tally": tally(reader, group), "troubled": group.troubled} for group in groups
            ],
        }


def counts(reader: Reader, head: ConferenceHead, totals: Totals) -> dict[Show, str]:
    """How many bridges each filter shows; of a conference that is over, no line is asked for."""
    states = totals.states
    found: dict[Show, int] = {
        "all": totals.bridges,
        "missing": states["missing"],
        "waiting": states["waiting"],
        "late": totals.late,
        "trouble": totals.trouble,
        "contradiction": totals.contradictions,
        "ready": states["ready"],
        "checked_in": states["checked_in"],
    }
    return {show: reader.number(count) for show, count in found.items() if show != "trouble" or not head.over}


def tally(reader: Reader, group: Group) -> str:
    """An area in figures: bridges checked in of all, delegates present."""
    checked_in = f"{reader.number(group.checked_in)}/{reader.number(len(group.bridges))}"
    return str(
        reader.say(
            N_("{checked_in} · {present} delegates"),
            checked_in=checked_in,
            present=reader.number(group.present),
        )
    )


def _row(reader: Reader, head: ConferenceHead, call: CallFor, now: datetime) -> dict[str, Any]:
    bridge, root = call.bridge, call.root
    board = f"/conferences/{quote(head.code, safe='')}"
    if root is not None:
        own = bridge.root is None
        return {
            "state": call.sign,
            "link": f"{board}/bridges/{quote(bridge.site, safe='')}" if own else f"/incidents/{root.incident}",
            "name": root.name or root.site or root.target,
            "area": "",
            "why": wording.why(reader, call, now),
            "contact": root.contact,
            "phone": root.phone,
            "dial": first_number(root.phone),
            "reachable": bool(root.site),
        }
    return {
        "state": call.sign,
        "link": f"{board}/bridges/{quote(bridge.site, safe='')}",
        "name": call.area if call.count > 1 else bridge.name,
        "area": "" if call.count > 1 else call.area,
        "why": wording.why(reader, call, now),
        "contact": bridge.contact,
        "phone": bridge.phone,
        "dial": first_number(bridge.phone),
        "reachable": True,
    }
