"""Words for line tests: marks, results, signatures, and what stands against a bridge."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from markupsafe import Markup

from bridgemgr.errors import BridgemgrError
from bridgemgr.readiness.line_tests_cells import TESTS, Cell, LineCell, Result, Said, Test, works
from bridgemgr.readiness.line_tests_course import Campaign, Planned, State
from bridgemgr.readiness.line_tests_model import Row
from bridgemgr.readiness.line_tests_signing import SIGN_ROLES, SignOff, SignRole
from bridgemgr.readiness.remarks import Line
from bridgemgr.screen import ledger_words, readiness_words
from bridgemgr.screen.entry_form import said as told
from bridgemgr.screen.language import N_, Reader
from bridgemgr.screen.model import Mark
from bridgemgr.screen.wording import LINE_WORDS

TEST_WORDS: Mapping[Test, str] = {
    "picture": N_("Picture"),
    "sound": N_("Sound"),
    "backup": N_("Backup line"),
}
RESULT_WORDS: Mapping[Result, str] = {
    "ok": N_("works"),
    "failed": N_("does not work"),
    "not_tried": N_("not tried"),
    "not_applicable": N_("no backup line"),
}
ROLE_WORDS: Mapping[SignRole, str] = {"it": N_("IT"), "cipher": N_("Cipher")}
STATE_WORDS: Mapping[State, str] = {
    "planned": N_("not open yet"),
    "current": N_("open now"),
    "closed": N_("closed"),
    "missed": N_("not held"),
}
_RESULT_MARKS: Mapping[Result, Mark] = {
    "ok": "checked_in",
    "failed": "missing",
    "not_tried": "waiting",
    "not_applicable": "absent",
}
_LINE_MARKS: Mapping[Line, Mark] = {"up": "checked_in", "unknown": "waiting", "attested": "ready"}
_INVALID_WORDS = {
    "endpoints": N_("the endpoints of the site have changed"),
    "picture": N_("the picture failed afterwards"),
    "sound": N_("the sound failed afterwards"),
    "backup": N_("the backup line failed afterwards"),
}
_ERRORS = (
    (
        re.compile(r".* is signed off already, by (?P<author>.*) at .*"),
        N_("{author} signed this bridge off in the meantime."),
    ),
    (
        re.compile(r".* is not in order: .*"),
        N_("The line is down or a test failed. To sign it off all the same, say why."),
    ),
    (re.compile(r"The line test .* is closed.*"), N_("This line test is closed: nothing of it changes any more.")),
    (re.compile(r".* is not signed off as .*"), N_("Nobody's signature is there to be taken back.")),
    (
        re.compile(r"The conference .* started at .*"),
        N_("The conference has started: when its line tests open changes no more."),
    ),
    (re.compile(r"\w+ says nothing.*"), N_("Choose at least one result: a remark alone is none.")),
)


def error(reader: Reader, problem: BridgemgrError) -> Markup:
    """An error of a form in the reader's language where it is known."""
    for pattern, message in _ERRORS:
        match = pattern.fullmatch(problem.message)
        if match is not None:
            return reader.say(message, **{name: _bare(value) for name, value in match.groupdict().items()})
    return told(reader, problem)


def offset(reader: Reader, campaign: Campaign | Planned) -> str:
    """How long before the start a test is: ``24 h before the start``."""
    minutes = campaign.before_min
    if minutes % 60:
        text = reader.say(N_("{minutes} min before the start"), minutes=reader.number(minutes))
    else:
        text = reader.say(N_("{hours} h before the start"), hours=reader.number(minutes // 60))
    return str(text if campaign.round == 1 else reader.say(N_("{test} (once more)"), test=text))


def reasons(reader: Reader, row: Row) -> list[Markup]:
    """What stands against a bridge, the most telling first."""
    words = {
        "line_down": _line_word(reader, row.line),
        "attested_not_to_work": _line_word(reader, row.line),
        "failed": reader.say(N_("does not work: {tests}"), tests=_tests(reader, row.failed)),
        "sign_off_invalid": reader.say(N_("a signature no longer counts")),
        "silent": reader.say(N_("nothing heard of a test")),
        "not_tried": reader.say(N_("not tried yet: {tests}"), tests=_tests(reader, row.untried)),
    }
    return [words[reason] for reason in row.reasons]


def _line_word(reader: Reader, line: LineCell) -> Markup:
    if line.attested is not None:
        return readiness_words.attested(reader, line.attested)
    return reader.say(LINE_WORDS[line.state])


def _line_mark(line: LineCell) -> Mark:
    if line.failing:
        return "trouble"
    return _LINE_MARKS.get(line.state, "absent")


def _tests(reader: Reader, tests: tuple[Test, ...]) -> str:
    return ", ".join(str(reader.say(TEST_WORDS[test])).lower() for test in tests)


def row(reader: Reader, found: Row, now: datetime) -> dict[str, Any]:
    """A bridge as the matrix shows it."""
    trip = found.line.round_trip if found.line.state == "up" else None
    return {
        "seat": found.seat,
        "line": {
            "mark": _line_mark(found.line),
            "word": _line_word(reader, found.line),
            "attested": found.line.attested,
            "more": reader.say(N_("round trip {time} ms"), time=reader.number(round(trip * 1000)))
            if trip is not None
            else "",
        },
        "cells": [cell(reader, test, found.cells[test], now) for test in TESTS],
        "signed": [signature(reader, role, found.signed.get(role), now) for role in SIGN_ROLES],
        "reasons": reasons(reader, found),
        "in_order": found.in_order,
        "heard_at": found.heard_at,
    }


def cell(reader: Reader, test: Test, found: Cell, now: datetime) -> dict[str, Any]:
    """A cell: its mark, its word, who said it and when."""
    return {
        "test": test,
        "name": reader.say(TEST_WORDS[test]),
        "mark": _RESULT_MARKS[found.result],
        "word": reader.say(RESULT_WORDS[found.result]),
        "result": found.result,
        "by": report(reader, test, found.said, now) if found.said else None,
        "history": [report(reader, test, each, now) for each in found.history],
        "failed_before": found.result == "ok" and any(works(each, test) is False for each in found.history),
    }


def report(reader: Reader, test: Test, said: Said, now: datetime) -> dict[str, Any]:
    """One word about a test: what, by whom, how and when."""
    result: Result = "ok" if works(said, test) else "failed"
    return {
        "works": reader.say(RESULT_WORDS[result]),
        "good": result == "ok",
        "author": ledger_words.author(said.author, said.device),
        "source": ledger_words.source(reader, said.event.source),
        "at": reader.when(said.event.observed_at, now),
        "note": said.note or "",
    }


def signature(reader: Reader, role: SignRole, found: SignOff | None, now: datetime) -> dict[str, Any]:
    """A signature, or its want."""
    common = {"role": role, "name": reader.say(ROLE_WORDS[role]), "given": found is not None}
    if found is None:
        return {**common, "mark": "waiting", "valid": False, "word": reader.say(N_("not signed"))}
    return {
        **common,
        "mark": "checked_in" if found.valid else "contradiction",
        "valid": found.valid,
        "word": reader.say(N_("signed")) if found.valid else reader.say(N_("no longer counts")),
        "author": _bare(found.author),
        "at": reader.when(found.at, now),
        "note": found.note,
        "despite": found.despite or "",
        "invalid": reader.say(_INVALID_WORDS[found.invalid_code]) if found.invalid_code else "",
        "invalid_text": found.invalid_text,
        "invalid_at": reader.when(found.invalid_at, now) if found.invalid_at else "",
        "taken_back_by": _bare(found.taken_back_by or ""),
        "taken_back_at": reader.when(found.taken_back_at, now) if found.taken_back_at else "",
    }


def _bare(author: str) -> str:
    return ledger_words.author(author, None)
