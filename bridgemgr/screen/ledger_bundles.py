"""A bridge's ledger for the eye: what one batch says of many delegates alike is one entry. Pure rules."""

from collections.abc import Sequence
from dataclasses import dataclass

from bridgemgr.readiness.ledger import Line

# Fewer are read as quickly as they are opened.
_LEAST = 4
_OF_DELEGATES = ("arrive", "leave", "absent")


@dataclass(frozen=True, slots=True)
class Bundle:
    """Lines that stand together, at least one; of a kind, from one author, received in one moment."""

    lines: tuple[Line, ...]

    @property
    def first(self) -> Line:
        """The line that speaks for all of them."""
        return self.lines[0]

    @property
    def numbers(self) -> list[tuple[int, int]]:
        """The delegates that they speak of, as runs from one number to another, both included."""
        return runs(sorted({line.delegate for line in self.lines if line.delegate is not None}))


def bundles(lines: Sequence[Line]) -> list[Bundle]:
    """The lines in their order, those of one batch that say the same of several delegates put together.

    A line that was put right, or that does not count, stays by itself: it is what a reader looks for.
    """
    alike: dict[object, list[Line]] = {}
    for line in lines:
        alike.setdefault(_likeness(line), []).append(line)
    found: list[Bundle] = []
    for together in alike.values():
        found += [Bundle(tuple(together))] if len(together) >= _LEAST else [Bundle((line,)) for line in together]
    place = {line.event_id: index for index, line in enumerate(lines)}
    return sorted(found, key=lambda bundle: place[bundle.first.event_id])


def _likeness(line: Line) -> object:
    """What lines have in common that stand together; of one that stands by itself its own id."""
    if line.kind not in _OF_DELEGATES or line.delegate is None or line.status != "counts" or line.amendments:
        return line.event_id
    said = (line.kind, line.mode, line.excused, line.reason, line.note)
    return line.received_at, line.source, line.author, line.device, line.clock_odd, said


def runs(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Ascending numbers as runs without a hole: 1, 2, 3, 7 are (1, 3) and (7, 7)."""
    found: list[tuple[int, int]] = []
    for number in numbers:
        if found and number == found[-1][1] + 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found
