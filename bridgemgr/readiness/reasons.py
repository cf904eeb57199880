"""What stands against a required bridge taking part: pure rules, with the conference's own hours and an allow-list.

From an hour before the start on a site is asked for its word. Until then silence is no reason, and readiness speaks of
lines, certificates, TLS and announced work alone; that a site will be absent counts from the moment that it is said.
After the end only who came and what is contradictory counts: of a line just its present state is known.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Literal, NamedTuple

from bridgemgr.attendance.fold import State
from bridgemgr.readiness.remarks import Value

CHECK_INS_ASKED = timedelta(minutes=60)
"""How long before the start a bridge without a word begins to count as not ready."""
STALE = timedelta(minutes=15)

Code = Literal[
    "line_down",
    "flapping",
    "not_known",
    "not_ready",
    "certificate_expired",
    "certificate_expires",
    "tls_version",
    "tls_cipher",
    "maintenance",
    "attested_failure",
    "line_test",
    "contradiction",
    "absent",
    "missing",
    "no_word",
]

# By code, in the order in which reasons are told: what many bridges have in common, and what it is at one of them.
REASONS: Mapping[Code, tuple[str, str]] = {
    "line_down": ("line down", "{target} does not answer"),
    "flapping": ("line goes up and down", "{target} goes up and down too often to be believed"),
    "attested_failure": ("does not work, as somebody found out", "does not work, says {author}: {note}"),
    "missing": ("missing", "not checked in by the start"),
    "absent": ("excused", "reported absent"),
    "not_ready": ("answers, but would take no call", "{target} answers, but would take no call"),
    "certificate_expired": ("certificate expired", "certificate of {target} expired {at:%Y-%m-%d %H:%M} UTC"),
    "certificate_expires": (
        "certificate expires before the end",
        "certificate of {target} expires {at:%Y-%m-%d %H:%M} UTC, before the conference ends",
    ),
    "tls_version": ("TLS version not allowed", "{target} speaks {version}, which is not allowed"),
    "tls_cipher": ("cipher not allowed", "{target} uses {cipher}, which is not allowed"),
    "maintenance": (
        "work on the line announced",
        "work on the line from {begin:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC: {reason}",
    ),
    "line_test": ("line test failed", "line test failed: {tests}"),
    "contradiction": ("contradiction", "its sources cannot all be right: {text}"),
    "not_known": ("line not known: nobody could look", "nobody could look at {target}"),
    "no_word": ("no word yet", "neither ready nor checked in"),
}
ORDER: Mapping[str, int] = {code: place for place, code in enumerate(REASONS)}
LINE: frozenset[Code] = frozenset({"line_down", "flapping", "not_ready", "not_known"})
CERTIFICATE: frozenset[Code] = frozenset({"certificate_expired", "certificate_expires"})
TLS: frozenset[Code] = frozenset({"tls_version", "tls_cipher"})
WORD: frozenset[Code] = frozenset({"absent", "missing", "no_word"})
_NOTHING: Mapping[str, Value] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Reason:
    """Something that stands against a bridge, in a form that can be translated.

    Attributes:
        values: what fills the text of one bridge; moments are in UTC.
    """

    code: Code
    values: Mapping[str, Value] = field(default_factory=lambda: _NOTHING)

    @property
    def text(self) -> str:
        """It in English, of this bridge."""
        return REASONS[self.code][1].format(**self.values)


@dataclass(frozen=True, slots=True)
class Rules:
    """What the settings ask of a line.

    Attributes:
        tls_versions: as OpenSSL names them; another one is a reason.
        tls_ciphers: as OpenSSL names them; empty: any.
        stale_after: an answer that is older tells nothing of now.
    """

    tls_versions: tuple[str, ...] = ("TLSv1.2", "TLSv1.3")
    tls_ciphers: tuple[str, ...] = ()
    stale_after: timedelta = STALE


@dataclass(frozen=True, slots=True)
class Hours:
    """A conference's hours, seen from one moment.

    Attributes:
        live: under way; a codec that is in a call is where it should be.
        over: ended; nothing is asked of a line any more.
    """

    now: datetime
    starts_at: datetime
    ends_at: datetime
    live: bool
    over: bool

    @property
    def until(self) -> datetime:
        """Until when lines must hold: the planned end, or now where that has passed."""
        return max(self.ends_at, self.now)

    @property
    def window(self) -> tuple[datetime, datetime]:
        """In which announced work is in the way: from when sites are asked for their word, or now, to the end."""
        return self.now if self.asks_for_check_ins else self.starts_at - CHECK_INS_ASKED, self.until

    @property
    def begun(self) -> bool:
        """Whether it is live, or should be."""
        return self.live or self.now >= self.starts_at

    @property
    def asks_for_check_ins(self) -> bool:
        """Whether a bridge without a word counts as not ready."""
        return self.live or self.now >= self.starts_at - CHECK_INS_ASKED


class Look(NamedTuple):
    """What is known of one endpoint; ``state`` is unknown and ``probed_at`` None where nobody looked yet."""

    target: str
    state: str
    ready: bool | None
    reason: str | None
    failures: int | None
    flapping: bool | None
    probed_at: datetime | None
    tls_version: str | None
    tls_cipher: str | None
    certificate_not_after: datetime | None


class Root(NamedTuple):
    """What a line that is down hangs under: the endpoint of an open incident elsewhere.

    ``site``, ``name``, ``contact`` and ``phone`` are empty where it is of the core, or nobody is known.
    """

    incident: int
    target: str
    site: str
    name: str
    contact: str
    phone: str
    since: datetime

    @property
    def text(self) -> str:
        """It in English: its target and, but for the core, the code of its site."""
        return f"{self.target} ({self.site or 'core'})"


class Work(NamedTuple):
    """A window of maintenance that lies in a conference's hours."""

    begin: datetime
    end: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Attested:
    """What somebody said of a line that cannot be probed; it is neither up nor down.

    Attributes:
        note: how it was found out.
        author: as the audit trail writes it.
    """

    works: bool
    note: str
    author: str
    made_at: datetime
    until: datetime

    @property
    def name(self) -> str:
        """The author as people are told, without the sort of principal."""
        return self.author.partition(":")[2] or self.author


def of_endpoint(look: Look, hours: Hours, rules: Rules, *, called: bool = False) -> Iterator[Reason]:
    """What stands against an endpoint.

    Args:
        called: the site said that it is ready or there, so its codec may be in the call already.
    """
    target = look.target
    if (code := _line(look, hours, rules, called)) is not None:
        yield Reason(code, {"target": target})
    expires = look.certificate_not_after
    if expires is not None and expires < hours.until:
        yield Reason("certificate_expired" if expires < hours.now else "certificate_expires", _at(target, expires))
    if look.tls_version is not None and look.tls_version not in rules.tls_versions:
        yield Reason("tls_version", {"target": target, "version": look.tls_version})
    elif look.tls_cipher is not None and rules.tls_ciphers and look.tls_cipher not in rules.tls_ciphers:
        yield Reason("tls_cipher", {"target": target, "cipher": look.tls_cipher})


def is_known(look: Look, hours: Hours, rules: Rules) -> bool:
    """Whether an endpoint was found down, or answered lately; what was down stays so for want of a look."""
    if look.state == "down":
        return True
    return look.state == "up" and look.probed_at is not None and look.probed_at >= hours.now - rules.stale_after


def _line(look: Look, hours: Hours, rules: Rules, called: bool) -> Code | None:
    if look.state == "down":
        return "flapping" if look.flapping else "line_down"
    if not is_known(look, hours, rules):
        return "not_known"
    if look.ready is not False:
        return None
    # SIP 486 and 600 (RFC 3261 sections 21.4.18, 21.6.1) say that it is in a call: its own conference's, while that is
    # on. A probe that was lost since says nothing else: then what the last answer was is not known here.
    if (hours.begun or called) and (look.reason == "busy" or look.failures):
        return None
    expires = look.certificate_not_after
    if look.reason == "certificate" and expires is not None and expires < hours.now:
        return None  # told as what it is
    return "not_ready"


def _at(target: str, moment: datetime) -> dict[str, Value]:
    return {"target": target, "at": moment}


_NO_WORD = Reason("no_word")
_GONE: Mapping[str, Reason] = {"absent": Reason("absent"), "missing": Reason("missing")}


def of_word(state: State, hours: Hours) -> Reason | None:
    """What stands against a bridge by its own word, or the want of it."""
    if state == "waiting":
        return _NO_WORD if hours.asks_for_check_ins and not hours.over else None
    return _GONE.get(state)


def of_bridge(
    state: State,
    hours: Hours,
    rules: Rules,
    looks: Sequence[Look] = (),
    work: Work | None = None,
    attested: Attested | None = None,
    contradiction: str | None = None,
    failed_tests: Sequence[str] = (),
) -> tuple[Reason, ...]:
    """Everything that stands against a required bridge, the most telling first.

    Args:
        looks: its endpoints; those without trouble may be left out. None of a site that cannot be observed.
        work: what is announced for its line.
        contradiction: the most telling one, in English.
        failed_tests: what failed in the line test under way: picture, sound, backup.
    """
    found: list[Reason] = []
    if not hours.over:
        called = state in ("ready", "checked_in")
        for look in looks:
            found += of_endpoint(look, hours, rules, called=called)
        if work is not None:
            found.append(Reason("maintenance", {"begin": work.begin, "end": work.end, "reason": work.reason}))
        if attested is not None and not attested.works:
            found.append(Reason("attested_failure", {"author": attested.name, "note": attested.note}))
        if failed_tests:
            found.append(Reason("line_test", {"tests": ", ".join(failed_tests)}))
    if contradiction is not None:
        found.append(Reason("contradiction", {"text": contradiction}))
    if (word := of_word(state, hours)) is not None:
        found.append(word)
    return tuple(sorted(found, key=lambda reason: ORDER[reason.code])) if len(found) > 1 else tuple(found)
