"""How ready a conference is, with its reasons: its bridges' gathered by cause, and its own. Pure rules."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from bridgemgr.readiness.line_tests_model import Summary
from bridgemgr.readiness.model import BridgeView, Totals
from bridgemgr.readiness.quorum import COUNTED, Counted, Quorum
from bridgemgr.readiness.reasons import (
    CERTIFICATE,
    LINE,
    ORDER,
    REASONS,
    TLS,
    WORD,
    Code,
    Hours,
    Look,
    Reason,
    Root,
    Rules,
    Work,
    of_endpoint,
)
from bridgemgr.readiness.remarks import Value

CheckName = Literal[
    "check_ins",
    "endpoints",
    "certificates",
    "tls",
    "attested",
    "line_tests",
    "signed_it",
    "signed_cipher",
    "quorum",
    "bridge_quorum",
]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: ``passed`` of ``of``.

    They are required bridges, those of them to which it applies; of line tests and their signatures all bridges that
    did not excuse themselves; of a quorum what is present or can still come, of what is needed.
    """

    check: CheckName
    passed: int
    of: int


@dataclass(frozen=True, slots=True)
class Cause:
    """What stands against several bridges alike.

    Attributes:
        bridges: each with its own reasons of this code.
        root: what all their lines hang under; of lines that are down with something elsewhere only.
    """

    code: Code
    bridges: tuple[tuple[BridgeView, tuple[Reason, ...]], ...]
    root: Root | None = None

    @property
    def key(self) -> str:
        """A name for it among the causes of a conference."""
        return f"{self.code}-{self.root.incident}" if self.root else self.code

    @property
    def text(self) -> str:
        """It in English, without telling of whom."""
        told = REASONS[self.code][0]
        return f"{told}, behind {self.root.text}" if self.root else told


@dataclass(frozen=True, slots=True)
class Shortfall:
    """A quorum that is out of reach: ``missing`` more than can still come would be needed."""

    counted: Counted
    reach: Quorum
    missing: int

    @property
    def text(self) -> str:
        """It in English."""
        return (
            f"quorum of {self.counted} out of reach: {self.reach.present} can still come,"
            f" {self.reach.present + self.missing} are needed"
        )


@dataclass(frozen=True, slots=True)
class Standing:
    """How ready a conference is.

    Attributes:
        ratio: the same as Totals.readiness.
        shortfalls, core: what stands against the conference as a whole.
        causes: what stands against its required bridges, first what most of them have in common.
    """

    ratio: float | None
    checks: tuple[Check, ...]
    shortfalls: tuple[Shortfall, ...]
    core: tuple[Reason, ...]
    causes: tuple[Cause, ...]


def standing(
    totals: Totals,
    bridges: Iterable[BridgeView],
    core: Sequence[Reason],
    hours: Hours,
    tested: Summary | None = None,
) -> Standing:
    """Sum up what stands against a conference and its required bridges.

    Args:
        tested: how far the line test under way has come, over all bridges that did not excuse themselves.
    """
    required = [bridge for bridge in bridges if bridge.required]
    reaches = [
        (counted, reach)
        for counted, reach in zip(COUNTED, (totals.reach, totals.bridge_reach), strict=True)
        if reach is not None
    ]
    return Standing(
        ratio=totals.readiness,
        checks=(*_checks(required, hours), *_tested(tested), *(_quorum_check(*each) for each in reaches)),
        shortfalls=tuple(
            Shortfall(counted, reach, needed(reach) - reach.present) for counted, reach in reaches if not reach.reached
        ),
        core=tuple(core),
        causes=causes(required),
    )


def needed(reach: Quorum) -> int:
    """How many a quorum needs of those expected: the least number that reaches it."""
    least = math.ceil(reach.needed * reach.expected)
    # 0.6667 * 15000 is a hair above 10000.5 or below: what Quorum itself calls reached decides.
    while least > 0 and Quorum(reach.needed, least - 1, reach.expected).reached:
        least -= 1
    while not Quorum(reach.needed, least, reach.expected).reached and least < reach.expected:
        least += 1
    return least


def causes(required: Iterable[BridgeView]) -> tuple[Cause, ...]:
    """What stands against bridges, gathered by cause: first what most of them have in common.

    Lines that are down with something elsewhere are gathered by that.
    """
    found: dict[tuple[Code, Root | None], dict[str, tuple[BridgeView, list[Reason]]]] = {}
    for bridge in required:
        for reason in bridge.reasons:
            root = bridge.root if reason.code == "line_down" else None
            of_cause = found.setdefault((reason.code, root), {})
            of_cause.setdefault(bridge.site, (bridge, []))[1].append(reason)
    causes = [
        Cause(code, tuple((bridge, tuple(reasons)) for bridge, reasons in alike.values()), root)
        for (code, root), alike in found.items()
    ]
    return tuple(sorted(causes, key=lambda each: (-len(each.bridges), ORDER[each.code], each.key)))


def of_core(looks: Iterable[tuple[Look, Work | None]], hours: Hours, rules: Rules) -> tuple[Reason, ...]:
    """What stands against every conference of these hours: trouble of the endpoints that all of them use."""
    found: list[Reason] = []
    if hours.over:
        return ()
    for look, work in looks:
        found += of_endpoint(look, hours, rules)
        if work is not None:
            values: dict[str, Value] = {
                "target": look.target,
                "begin": work.begin,
                "end": work.end,
                "reason": work.reason,
            }
            found.append(Reason("maintenance", values))
    return tuple(sorted(found, key=lambda reason: ORDER[reason.code]))


def _checks(required: Sequence[BridgeView], hours: Hours) -> list[Check]:
    found = []
    if hours.asks_for_check_ins:
        found.append(_check("check_ins", required, WORD))
    if hours.over:
        return found
    probed = [bridge for bridge in required if bridge.health not in ("not_observable", "attested")]
    applying: tuple[tuple[CheckName, list[BridgeView], frozenset[Code]], ...] = (
        ("endpoints", probed, LINE),
        ("certificates", [bridge for bridge in probed if bridge.certified], CERTIFICATE),
        ("tls", [bridge for bridge in probed if bridge.encrypted], TLS),
        ("attested", [bridge for bridge in required if bridge.attested], frozenset({"attested_failure"})),
    )
    return found + [_check(name, asked, codes) for name, asked, codes in applying if asked]


def _check(name: CheckName, asked: Sequence[BridgeView], codes: frozenset[Code]) -> Check:
    failed = sum(any(reason.code in codes for reason in bridge.reasons) for bridge in asked)
    return Check(name, len(asked) - failed, len(asked))


def _tested(tested: Summary | None) -> list[Check]:
    if tested is None:
        return []
    asked = tested.bridges - tested.excused
    return [
        Check("line_tests", tested.in_order, asked),
        Check("signed_it", tested.signed_it, asked),
        Check("signed_cipher", tested.signed_cipher, asked),
    ]


def _quorum_check(counted: Counted, reach: Quorum) -> Check:
    return Check("quorum" if counted == "delegates" else "bridge_quorum", reach.present, needed(reach))
