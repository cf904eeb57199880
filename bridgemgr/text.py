"""Rules for text that people write, and the keys made from it.

Everything is kept in Unicode normalisation form C (Unicode Standard Annex 15), so that a name typed on
Windows and the same name typed on macOS are equal. Search goes by ``fold`` and order by ``sort_key``;
both are stored beside the name, because the database's own ``lower`` and collation know no Đ.
"""

import hashlib
import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from bridgemgr.errors import Invalid

CODE_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
AREA_PATH_PATTERN = r"[a-z0-9-]+(?:/[a-z0-9-]+){0,7}"
NAME_LENGTH = 200
NOTE_LENGTH = 2000
SLUG_LENGTH = 48

_CODE = re.compile(CODE_PATTERN)
_AREA_PATH = re.compile(AREA_PATH_PATTERN)
_PHONE = re.compile(r"[0-9+\-.() /,;]+")
_EXTENSION = re.compile(r"(?:ext|x|(?:số )?máy lẻ)[ .:]*[0-9]{1,8}", re.IGNORECASE)
_SHORT_NUMBER = re.compile(r"1[0-9]{2,4}")  # 113, 1080: no other short number can be dialled from everywhere
_PHONE_LENGTH = 60
_PHONE_DIGITS = 6
_WHOLE_DIGITS = 8  # of a number with its area code, which a hyphen may divide from the next
_EMAIL = re.compile(r"[^\s@<>()\[\],;:\"\\]{1,64}@(?:[\w-]{1,63}\.)+[\w-]{2,63}")

# Line and paragraph separators stand between the bidirectional controls and are refused with them: some
# readers break a line there and others do not. LRM, RLM and the joiners are allowed: Urdu needs them to be
# spelt and to stand beside Latin codes, they cannot nest, and they turn nothing around but their neighbour.
_NONCHARACTERS = "\ufdd0-\ufdef" + "".join(chr(plane << 16 | low) for plane in range(17) for low in (0xFFFE, 0xFFFF))
_REFUSED_LINES = f"\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff{_NONCHARACTERS}"
_REFUSED_IN_LINES = re.compile(f"[{_REFUSED_LINES}]")
_REFUSED = re.compile(f"[\t\n{_REFUSED_LINES}]")
_LINE_ENDS = re.compile(r"\r\n?")


class Unfit(ValueError):
    """Why a text is not acceptable, as a predicate: ``is empty``, ``contains U+0007 (...)``."""


def _what_is(char: str) -> str:
    code = ord(char)
    if char in "\n\r\u2028\u2029":
        return "a line break"
    if 0xD800 <= code <= 0xDFFF:
        return "half of a character, a lone surrogate"
    if char == "\ufeff":
        return "a byte order mark"
    if unicodedata.category(char) == "Cc":
        return {"\x00": "NUL", "\t": "a tab"}.get(char, "a control character")
    return unicodedata.name(char, "not a character").lower()


def is_plain(chunk: str) -> bool:
    """Whether a text of any length surely passes ``clean`` but for outer white space and length.

    One C loop over the whole chunk, so that many cells are checked at once: join them with spaces. False
    does not mean that the text is bad (a no-break space or a joiner gives it): then ask ``clean``.
    """
    return chunk.isprintable() and unicodedata.is_normalized("NFC", chunk)


def fit(value: str, *, max_length: int, multiline: bool = False, required: bool = False) -> str:
    """As ``clean``, but raises Unfit with the bare reason, for callers that name the place themselves."""
    value = value.strip()
    if not is_plain(value):
        if multiline:
            value = _LINE_ENDS.sub("\n", value)
        found = (_REFUSED_IN_LINES if multiline else _REFUSED).search(value)
        if found:
            what = f"U+{ord(found[0]):04X} ({_what_is(found[0])})"
            raise Unfit(f"contains {what}, which is not allowed here: delete it")
        value = unicodedata.normalize("NFC", value)
    if required and not value:
        raise Unfit("is empty")
    if len(value) > max_length:
        raise Unfit(f"is {len(value)} characters long; at most {max_length} are allowed")
    return value


def clean(value: str, *, field: str, max_length: int, multiline: bool = False, required: bool = False) -> str:
    """Return ``value`` in form C without outer white space.

    Args:
        value: what somebody typed.
        field: its name, for the message.
        max_length: the most characters (code points) after cleaning.
        multiline: whether tabs and line breaks may stand inside; CR LF becomes LF.
        required: whether it must not be empty.

    Raises:
        Invalid: a control character, a bidirectional override, embedding or isolate, a line separator, a
            lone surrogate, a noncharacter or a byte order mark inside; too long; empty where it must not be.
    """
    return _named(field, partial(fit, max_length=max_length, multiline=multiline, required=required), value)


def _named(field: str, check: Callable[[str], str], value: str) -> str:
    try:
        return check(value)
    except Unfit as error:
        raise Invalid(f"{field} {error}.") from None


def fit_code(value: str) -> str:
    """Return ``value`` if it is a code; raise Unfit."""
    if not _CODE.fullmatch(value):
        raise Unfit(
            "is no code: use 1 to 64 of the letters A-Z and a-z, digits, full stop, hyphen and underscore, "
            "and begin with a letter or digit"
        )
    return value


def fit_area_path(value: str) -> str:
    """Return ``value`` if it is the path of an area; raise Unfit."""
    if len(value) > NAME_LENGTH or not _AREA_PATH.fullmatch(value):
        raise Unfit(
            "is no area path: use 1 to 8 steps of lower-case letters a-z, digits and hyphens, with / between "
            f"them, {NAME_LENGTH} characters at most, for example hanoi/ba-dinh"
        )
    return value


def fit_phone(value: str) -> str:
    """Return one or more telephone numbers as they were written, without outer white space; raise Unfit."""
    value = unicodedata.normalize("NFC", value.strip())
    numbers = _EXTENSION.sub("", value)
    if not _PHONE.fullmatch(numbers):
        raise Unfit(
            "is no telephone number: use digits, spaces and + - . ( ), with / , or ; between two numbers, and ext, x "
            "or máy lẻ before an extension"
        )
    digits = _digits(numbers)
    if len(digits) < _PHONE_DIGITS and not _SHORT_NUMBER.fullmatch(digits):
        raise Unfit(f"is no telephone number: {len(digits)} digits are too few, at least {_PHONE_DIGITS} are needed")
    if len(value) > _PHONE_LENGTH:
        raise Unfit(f"is no telephone number: {len(value)} characters are too many, at most {_PHONE_LENGTH} are kept")
    return value


def _digits(text: str) -> str:
    return "".join(char for char in text if char in "0123456789")


def first_number(phone: str) -> str:
    """Return the digits, after a + if it has one, of the first of some telephone numbers (RFC 3966, section 5.1.4)."""
    first = ""
    for part in re.split("[/,;]", _EXTENSION.sub("/", phone)):
        first += part
        if len(_digits(first)) >= _PHONE_DIGITS:
            break
    for hyphen in re.finditer("-", first):
        before, after = first[: hyphen.start()], first[hyphen.end() :]
        if min(len(_digits(before)), len(_digits(after))) >= _WHOLE_DIGITS:
            first = before
            break
    return ("+" if first.lstrip(" (").startswith("+") else "") + _digits(first)


def fit_email(value: str) -> str:
    """Return an e-mail address without outer white space; raise Unfit. Only sending a message proves one."""
    value = fit(value, max_length=254)
    if not _EMAIL.fullmatch(value):
        raise Unfit("is no e-mail address: write one address like name@example.gov.vn")
    return value


def check_code(value: str, field: str) -> str:
    """Return ``value`` if it matches ``CODE_PATTERN``; raise Invalid that names ``field``."""
    return _named(field, fit_code, value)


def check_area_path(value: str, field: str) -> str:
    """Return ``value`` if it is an area path such as ``hanoi/ba-dinh/x05``; raise Invalid."""
    return _named(field, fit_area_path, value)


# Search ------------------------------------------------------------------------------------------------

# Latin accents, the vowel points of Arabic script (harakat), what stretches a word, and what has no width.
# Hamza and madda (U+0653-0655) are parts of Urdu letters and stay.
_UNHEARD = re.compile("[\u0300-\u036f\u064b-\u0652\u0656-\u065f\u0670\u0640\u061c\u200b-\u200f\u2060\ufeff\u00ad]")
# Letters that do not decompose, and those that an Arabic keyboard gives for the Urdu ones.
_ALIKE = str.maketrans("đøłıيىك", "dolıییک") | {ord(first) + digit: str(digit) for first in "٠۰" for digit in range(10)}


def fold(value: str) -> str:
    """Return the search key of a text: ``Ba Vì`` and ``BA  VI`` give ``ba vi``.

    Case, accents and tones are gone, Đ is d, white space is single, digits are 0-9. Of Urdu the vowel points
    go and the letters stay. Folding a folded text changes nothing.
    """
    if not value.isascii():
        value = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", value).casefold())
        value = unicodedata.normalize("NFC", _UNHEARD.sub("", value)).translate(_ALIKE)
    return " ".join(value.lower().split())


def slug(value: str) -> str:
    """Return a code made from a name: ``Phường Phúc Xá, quận Ba Đình`` gives ``phuong-phuc-xa-quan-ba-dinh``.

    At most 48 characters, cut between words where that is possible. Two names may give the same slug. A name
    without any Latin letter or digit gives ``x`` and ten hexadecimal digits of its SHA-256.
    """
    folded = fold(value)
    code = re.sub(r"[^a-z0-9]+", "-", folded).strip("-")
    if not code:
        return "x" + hashlib.sha256(folded.encode("utf-8", "surrogatepass")).hexdigest()[:10]
    if len(code) > SLUG_LENGTH:
        head, hyphen, _ = code[: SLUG_LENGTH + 1].rpartition("-")
        code = head if hyphen else code[:SLUG_LENGTH]
    return code


# Order -------------------------------------------------------------------------------------------------

_ALPHABET = "aăâbcdđeêfghijklmnoôơpqrstuưvwxyz"
_TONES = ("", "\u0300", "\u0309", "\u0303", "\u0301", "\u0323")  # none, huyền, hỏi, ngã, sắc, nặng
_PUNCTUATION = "\t\n _-‑–—,،;؛:!?؟.…۔·'\"«»()[]{}§@*/\\&#%•`^°©®+±÷×<=>|~$₫€"
_SAME = {"\u00a0": " ", "‘": "'", "’": "'", "“": '"', "”": '"'}
_END, _PLAIN, _UPPER = 0x01, 0x02, 0x03  # of a level; no tone, lower case; upper case
_SYMBOL, _NUMBER, _LETTER, _OTHER = 0x44, 0x45, 0x50, 0x80  # leads of the first level, in their order
_DIGITS = re.compile(r"(\d{1,254})")  # a length of one byte

_Weights = tuple[bytes, bytes, bytes]  # letter, tone, case


def _known_weights() -> dict[str, _Weights]:
    plain = bytes([_PLAIN])
    table = {char: (bytes([_PLAIN + place]), plain, plain) for place, char in enumerate(_PUNCTUATION)}
    table |= {char: table[same] for char, same in _SAME.items()}
    for place, letter in enumerate(_ALPHABET):
        for weight, tone in enumerate(_TONES):
            tones = bytes([_PLAIN, _UPPER + weight]) if tone else plain
            for cased, case in ((letter, _PLAIN), (letter.upper(), _UPPER)):
                char = unicodedata.normalize("NFC", cased + tone)
                if len(char) == 1:
                    table[char] = (bytes([_LETTER + place]), tones, bytes([case]))
    return table | {tone: (b"", bytes([_UPPER + weight]), b"") for weight, tone in enumerate(_TONES) if tone}


_KNOWN = _known_weights()


@lru_cache(maxsize=4096)
def _rare_weights(char: str) -> _Weights:
    parts = unicodedata.normalize("NFD", char)
    if parts != char:
        letters, tones, cases = zip(*(_KNOWN.get(part) or _rare_weights(part) for part in parts), strict=True)
        return b"".join(letters), b"".join(tones), b"".join(cases)
    code, category = ord(char), unicodedata.category(char)
    if category in {"Cf", "Cc"}:
        return b"", b"", b""
    if category[0] == "M":  # above every tone, and free of the bytes that end a level or are trimmed
        return b"", bytes(0x40 | (code >> shift & 0x3F) for shift in (18, 12, 6, 0)), b""
    lead = _SYMBOL if category[0] in "PSZ" else _OTHER
    return bytes([lead]) + code.to_bytes(3, "big"), bytes([_PLAIN]), bytes([_PLAIN])


def sort_key(value: str) -> bytes:
    """Return a key whose byte order is the order in which Vietnamese readers expect names.

    It is the order of ICU's ``vi-u-kn-true`` (CLDR's tailoring for Vietnamese): punctuation, numbers by their
    value ("Phường 2" before "Phường 10"; plain ``vi`` would not), letters a ă â b c d đ e ê ..., then tones
    (none, huyền, hỏi, ngã, sắc, nặng), then small before capital. Other scripts follow by code point. Texts
    that differ only in zero-width characters or leading zeros have the same key.
    """
    letters, tones, cases = bytearray(), bytearray(), bytearray()
    for place, part in enumerate(_DIGITS.split(unicodedata.normalize("NFC", value))):
        if place % 2:
            number = str(int(part)).encode()
            letters += bytes([_NUMBER, len(number)]) + number
            tones.append(_PLAIN)
            cases.append(_PLAIN)
            continue
        for char in part:
            letter, tone, case = _KNOWN.get(char) or _rare_weights(char)
            letters += letter
            tones += tone
            cases += case
    plain = bytes([_PLAIN])
    return bytes(letters + bytes([_END]) + tones.rstrip(plain) + bytes([_END]) + cases.rstrip(plain))


# Types for the models of an API --------------------------------------------------------------------------


def _field(check: Callable[[str], str]) -> AfterValidator:
    def validate(value: str) -> str:
        try:
            return check(value)
        except Unfit as error:
            raise PydanticCustomError("text", "{reason}", {"reason": str(error)}) from None

    return AfterValidator(validate)


def _schema(longest: int, **more: str | int) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "maxLength": longest, **more})


Code = Annotated[str, _field(fit_code), _schema(64, pattern=f"^{CODE_PATTERN}$")]
AreaPath = Annotated[str, _field(fit_area_path), _schema(NAME_LENGTH, pattern=f"^{AREA_PATH_PATTERN}$")]
Name = Annotated[str, _field(partial(fit, max_length=NAME_LENGTH, required=True)), _schema(NAME_LENGTH, minLength=1)]
Note = Annotated[str, _field(partial(fit, max_length=NOTE_LENGTH, multiline=True)), _schema(NOTE_LENGTH)]
Phone = Annotated[str, _field(fit_phone), _schema(_PHONE_LENGTH, minLength=3)]
Email = Annotated[str, _field(fit_email), _schema(254, format="email")]
