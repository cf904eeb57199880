"""The three languages: which one a reader gets, and how it writes text, numbers and times."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime
from babel.messages.pofile import read_po
from babel.numbers import format_decimal, format_percent
from markupsafe import Markup, escape

LANGUAGES = {"vi": "Tiếng Việt", "en": "English", "ur": "اردو"}
DEFAULT = "vi"
COOKIE = "bmg_lang"
_RIGHT_TO_LEFT = frozenset({"ur"})
_WEIGHTED = re.compile(r"\s*([A-Za-z]{1,8})(?:-[A-Za-z0-9-]*)?\s*(?:;\s*q=([01](?:\.[0-9]{0,3})?))?\s*")


def N_(message: str) -> str:  # noqa: N802 - gettext's own name for "to be translated later"
    """Mark a text for translation where it is written, not where it is shown."""
    return message


def load(directory: Path) -> dict[str, dict[str, str]]:
    """Every language's messages by their English text, from the files ``<language>/*.po``, one a part of the screen.

    Raises:
        ValueError: two files of a language translate the same text.
    """
    catalogues = {}
    for language in LANGUAGES:
        messages: dict[str, str] = {}
        for path in sorted((directory / language).glob("*.po")):
            with path.open("rb") as file:
                read = {str(each.id): str(each.string) for each in read_po(file, locale=language) if each.id}
            if twice := messages.keys() & read.keys():
                raise ValueError(f"{path} translates again: {', '.join(sorted(twice))}")
            messages |= read
        catalogues[language] = messages
    return catalogues


def negotiate(query: str | None, cookie: str | None, accept: str) -> str:
    """The language for a reader: asked for, chosen before, or the browser's (RFC 9110 section 12.5.4)."""
    for wanted in (query, cookie):
        if wanted in LANGUAGES:
            return wanted
    best, weight = DEFAULT, 0.0
    for part in accept[:500].split(","):
        match = _WEIGHTED.fullmatch(part)
        if match is None or match[1].lower() not in LANGUAGES:
            continue
        quality = float(match[2] or 1)
        if quality > weight:
            best, weight = match[1].lower(), quality
    return best


@dataclass(frozen=True)
class Reader:
    """How one reader is written to.

    Attributes:
        language: one of LANGUAGES.
        messages: translations by English text.
        zone: the IANA name of the zone in which times are written.
    """

    language: str
    messages: Mapping[str, str]
    zone: str = "Asia/Ho_Chi_Minh"

    @property
    def direction(self) -> str:
        """``rtl`` or ``ltr``."""
        return "rtl" if self.language in _RIGHT_TO_LEFT else "ltr"

    def within(self, zone: str) -> "Reader":
        """The same reader, for times of another zone."""
        return replace(self, zone=zone)

    def say(self, message: str, **values: object) -> Markup:
        """The message in the reader's language; ``{names}`` are filled with escaped values."""
        text = escape(self.messages.get(message) or message)
        return text.format(**values) if values else text

    def number(self, value: int) -> str:
        """A whole number with the reader's group separators."""
        return _number(value, self.language)

    def percent(self, ratio: float) -> str:
        """A ratio of 0 to 1 in whole per cent."""
        return str(format_percent(ratio, locale=self.language))

    def exact(self, ratio: float) -> str:
        """A ratio of 0 to 1 in per cent, with one decimal where it is not whole: two thirds are not 67 %."""
        return str(format_percent(ratio, format="#,##0.#%", locale=self.language))

    def share(self, ratio: float) -> str:
        """What is reached, in whole per cent, cut: 99.6 % must not read as all."""
        return self.percent(int(ratio * 100) / 100)

    def clock(self, moment: datetime) -> str:
        """Hours, minutes and seconds, of 24 hours."""
        return moment.astimezone(ZoneInfo(self.zone)).strftime("%H:%M:%S")

    def minute(self, moment: datetime) -> str:
        """Hours and minutes, of 24 hours."""
        return moment.astimezone(ZoneInfo(self.zone)).strftime("%H:%M")

    def when(self, moment: datetime, now: datetime) -> str:
        """The time to the second, with its date unless that is today's."""
        if self.local(moment) == self.local(now):
            return self.clock(moment)
        return f"{self.clock(moment)} {format_date(self.local(moment), 'short', locale=self.language)}"

    def until(self, moment: datetime, now: datetime) -> str:
        """The last minute before a moment, with its date unless that is today's: what ends at midnight ends 23:59."""
        last = moment - timedelta(seconds=1)
        if self.local(last) == self.local(now):
            return self.minute(last)
        return f"{self.minute(last)} {format_date(self.local(last), 'short', locale=self.language)}"

    def day(self, moment: datetime) -> str:
        """The day with its weekday."""
        return str(format_datetime(moment, "EEEE, d MMMM y", tzinfo=ZoneInfo(self.zone), locale=self.language))

    def short_date(self, value: date) -> str:
        """A date, in the reader's medium form."""
        return str(format_date(value, "medium", locale=self.language))

    def month(self, value: str) -> str:
        """A month given as 2023-05."""
        return str(format_date(date.fromisoformat(f"{value}-01"), "LLLL y", locale=self.language))

    def local(self, moment: datetime) -> date:
        """The calendar day of a moment in the reader's zone."""
        return moment.astimezone(ZoneInfo(self.zone)).date()


@lru_cache(maxsize=4096)
def _number(value: int, language: str) -> str:
    return str(format_decimal(value, locale=language))
