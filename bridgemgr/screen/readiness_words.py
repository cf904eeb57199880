"""The words for what stands against a conference, and where each leads."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from markupsafe import Markup

from bridgemgr.readiness.model import BridgeView
from bridgemgr.readiness.reasons import Attested, Code, Reason, Root
from bridgemgr.readiness.remarks import Value
from bridgemgr.readiness.service import ConferenceHead
from bridgemgr.readiness.standing import Cause, Check, CheckName, Shortfall, Standing
from bridgemgr.screen.endpoint_words import name
from bridgemgr.screen.language import N_, Reader

# What many bridges have in common; in English it stands in bridgemgr.readiness.reasons.
CAUSE_WORDS: Mapping[Code, str] = {
    "line_down": N_("line down"),
    "flapping": N_("line goes up and down"),
    "attested_failure": N_("does not work, as somebody found out"),
    "missing": N_("missing"),
    "absent": N_("excused"),
    "not_ready": N_("answers, but takes no call"),
    "certificate_expired": N_("certificate expired"),
    "certificate_expires": N_("certificate expires before the end"),
    "tls_version": N_("TLS version not allowed"),
    "tls_cipher": N_("cipher not allowed"),
    "maintenance": N_("work on the line announced"),
    "line_test": N_("line test failed"),
    "contradiction": N_("contradiction"),
    "not_known": N_("line not known, nobody could look"),
    "no_word": N_("no word yet"),
}
# What it is at one of them; the others say no more there.
_REASON_WORDS: Mapping[Code, str] = {
    "line_down": N_("{target} does not answer"),
    "flapping": N_("{target} goes up and down too often to be believed"),
    "attested_failure": N_("does not work, says {author}: {note}"),
    "not_ready": N_("{target} answers, but takes no call"),
    "certificate_expired": N_("certificate of {target} expired {at}"),
    "certificate_expires": N_("certificate of {target} expires {at}, before the conference ends"),
    "tls_version": N_("{target} speaks {version}, which is not allowed"),
    "tls_cipher": N_("{target} uses {cipher}, which is not allowed"),
    "maintenance": N_("work on the line from {begin} to {end}: {reason}"),
    "line_test": N_("failed in the line test: {tests}"),
    "not_known": N_("nobody could look at {target}"),
}
CHECK_WORDS: Mapping[CheckName, str] = {
    "check_ins": N_("Ready or checked in by their own word"),
    "endpoints": N_("Bridges whose lines are ready"),
    "certificates": N_("Bridges whose certificates are valid to the end"),
    "tls": N_("Bridges whose TLS is as allowed"),
    "attested": N_("Attested to work"),
    "line_tests": N_("Bridges whose line tests are in order"),
    "signed_it": N_("Signed off by IT"),
    "signed_cipher": N_("Signed off by cipher"),
    "quorum": N_("Quorum of delegates"),
    "bridge_quorum": N_("Quorum of bridges"),
}
_TEST_WORDS = {"picture": N_("picture"), "sound": N_("sound"), "backup": N_("backup line")}
_SHORT_WORDS = {
    "delegates": N_("quorum of delegates out of reach, {missing} short"),
    "bridges": N_("quorum of bridges out of reach, {missing} short"),
}
# The causes that a filter of the board shows by themselves; the others are listed on the page of readiness.
_SHOWN_BY: Mapping[Code, str] = {
    "line_down": "trouble",
    "flapping": "trouble",
    "missing": "missing",
    "no_word": "waiting",
    "contradiction": "contradiction",
}


def figures(reader: Reader, check: Check) -> Markup:
    """How far a check is met: bridges of those it applies to; of a quorum who can come beside who is needed."""
    met, asked = reader.number(check.passed), reader.number(check.of)
    if check.check in ("quorum", "bridge_quorum"):
        return reader.say(N_("{count} are there or can come, {needed} needed"), count=met, needed=asked)
    return Markup('<bdi dir="ltr">{}/{}</bdi>').format(met, asked)


@dataclass(frozen=True, slots=True)
class Told:
    """A reason in the reader's words.

    Attributes:
        count: the bridges that it concerns; 0 where it concerns the conference.
        link: where it can be looked into.
    """

    text: Markup
    count: int
    link: str


def told(reader: Reader, head: ConferenceHead, found: Standing, now: datetime) -> list[Told]:
    """Everything that stands against a conference, what concerns all of it first."""
    board = f"/conferences/{quote(head.code, safe='')}"
    whole = f"{board}/readiness#whole"
    listed = [Told(text, 0, whole) for text in of_conference(reader, found, now)]
    for each in found.causes:
        show = None if each.root else _SHOWN_BY.get(each.code)
        link = f"{board}?show={show}" if show else f"{board}/readiness#{each.key}"
        listed.append(Told(cause(reader, each), len(each.bridges), link))
    return listed


def of_conference(reader: Reader, found: Standing, now: datetime) -> list[Markup]:
    """What stands against the conference as a whole."""
    return [
        *(_short(reader, each) for each in found.shortfalls),
        *(reader.say(N_("core: {reason}"), reason=said(reader, each, now)) for each in found.core),
    ]


def _short(reader: Reader, each: Shortfall) -> Markup:
    return reader.say(_SHORT_WORDS[each.counted], missing=reader.number(each.missing))


def said(reader: Reader, reason: Reason, now: datetime) -> Markup:
    """A reason of one bridge, or of the core."""
    words = _REASON_WORDS.get(reason.code)
    if words is None:
        return reader.say(CAUSE_WORDS[reason.code])
    return reader.say(words, **{name: _value(reader, name, each, now) for name, each in reason.values.items()})


def _value(reader: Reader, name: str, value: Value, now: datetime) -> str:
    if isinstance(value, datetime):
        return reader.when(value, now)
    if isinstance(value, int):
        return reader.number(value)
    if name == "tests":
        return ", ".join(str(reader.say(_TEST_WORDS[test])) for test in value.split(", "))
    # What is written in Latin letters, as a target is, keeps its order within a text from right to left.
    isolated = Markup('<bdi dir="ltr">{}</bdi>') if name == "target" else Markup("<bdi>{}</bdi>")
    return isolated.format(value)


def attested(reader: Reader, found: Attested) -> Markup:
    """What somebody said of a line, until when."""
    words = N_("attested to work until {time}, by {author}")
    if not found.works:
        words = N_("attested not to work until {time}, by {author}")
    return reader.say(words, time=reader.until(found.until, found.made_at), author=found.author.partition(":")[2])


def cause(reader: Reader, found: Cause) -> Markup:
    """What many bridges have in common."""
    text = reader.say(CAUSE_WORDS[found.code])
    if found.root is None:
        return text
    return reader.say(N_("{cause}, behind {root}"), cause=text, root=root(found.root))


def root(found: Root) -> Markup:
    """What lines hang under that are down with it: its target and, but for the core, its site."""
    return name(found.target, found.name or found.site)


def attested_failure(reader: Reader, bridge: BridgeView) -> Markup:
    """Why somebody is to be called whose line does not work, as somebody found out."""
    assert bridge.attested is not None
    words = _REASON_WORDS["attested_failure"]
    return reader.say(words, author=bridge.attested.author.partition(":")[2], note=bridge.attested.note)
