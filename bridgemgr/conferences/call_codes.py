"""The code that a site reads out over the telephone: six digits, the last of which checks the others. Pure."""

from collections.abc import Container
from random import SystemRandom

from bridgemgr.errors import Conflict, Invalid
from bridgemgr.text import fold

LENGTH = 6

# H. Michael Damm, "Total anti-symmetrische Quasigruppen" (Marburg, 2004), the quasigroup of order 10: every
# single wrong digit and every swap of two neighbours is found, with no digit beyond 0-9 as ISBN-10's X.
_DAMM = (
    (0, 3, 1, 7, 5, 9, 8, 6, 4, 2),
    (7, 0, 9, 2, 1, 5, 4, 8, 6, 3),
    (4, 2, 0, 6, 8, 7, 1, 3, 5, 9),
    (1, 7, 5, 0, 9, 8, 3, 4, 2, 6),
    (6, 1, 2, 3, 0, 4, 5, 9, 7, 8),
    (3, 6, 7, 4, 2, 0, 9, 5, 8, 1),
    (5, 8, 6, 9, 7, 2, 0, 1, 3, 4),
    (8, 9, 4, 5, 3, 6, 2, 0, 1, 7),
    (9, 4, 3, 8, 6, 1, 7, 2, 0, 5),
    (2, 5, 8, 1, 4, 3, 6, 7, 9, 0),
)
# None begins with 0, which a spreadsheet would drop.
_FIRST, _BEYOND = 10_000, 100_000
_SEPARATORS = str.maketrans("", "", " -.–—·/")


class Misheard(Invalid):
    """A call code with a wrong digit, or too many or too few of them."""


def check_digit(digits: str) -> str:
    """The digit that makes a code of these (Damm's algorithm)."""
    interim = 0
    for digit in digits:
        interim = _DAMM[interim][int(digit)]
    return str(interim)


def new_codes(count: int, taken: Container[str]) -> list[str]:
    """So many random codes, each different and none of those taken.

    Raises:
        Conflict: there are not so many.
    """
    free = [code for number in range(_FIRST, _BEYOND) if (code := f"{number}{check_digit(str(number))}") not in taken]
    if count > len(free):
        raise Conflict(f"A conference has telephone codes for {_BEYOND - _FIRST:,} bridges at most.")
    return SystemRandom().sample(free, count)


def looks_like_code(heard: str) -> bool:
    """Whether what was typed is meant as a code: digits with spaces, dashes or stops between them."""
    return _digits(heard).isdecimal()


def read_code(heard: str) -> str:
    """The six digits of a code as it was typed.

    Raises:
        Misheard: it cannot be one; found before anything is looked up.
    """
    digits = _digits(heard)
    if len(digits) != LENGTH or not digits.isdecimal():
        raise Misheard(f"A telephone code has {LENGTH} digits. Ask the site to read it out again.")
    if check_digit(digits) != "0":
        raise Misheard("One digit is wrong, or two changed places. Ask the site to read the code out again.")
    return digits


def _digits(heard: str) -> str:
    return fold(heard).translate(_SEPARATORS)
