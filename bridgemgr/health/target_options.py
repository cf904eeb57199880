"""Options of targets: what follows the '?', or of http and https the '#', which no peer ever sees."""

import re
from collections.abc import Callable, Mapping
from urllib.parse import quote, unquote

Options = tuple[tuple[str, str], ...]
Readers = Mapping[str, Callable[[str], str]]

_SIP_FINAL = re.compile(r"[2-6][0-9]{2}")
_HTTP_FINAL = re.compile(r"[2-5][0-9]{2}")


def read_options(query: str, readers: Readers, mark: str = "?") -> Options:
    """Read ``name=value&name=value``.

    Args:
        query: what follows the mark; empty for none.
        readers: of each option, what gives its canonical value or raises ValueError saying what is wanted.

    Raises:
        ValueError: with what is wrong, for the reader.
    """
    found: dict[str, str] = {}
    for part in query.split("&") if query else ():
        name, _, value = part.partition("=")
        if name not in readers or name in found:
            raise ValueError(f"{part!r} is not understood; {' or '.join(readers)} may follow the {mark!r}, each once")
        try:
            found[name] = readers[name](unquote(value))
        except ValueError as error:
            raise ValueError(f"{name} is {error}") from None
    return tuple(sorted(found.items()))


def written(options: Options, mark: str = "?") -> str:
    """Options as a target has them, with the mark; empty for none."""
    query = "&".join(f"{name}={quote(value, safe=',:')}" for name, value in options)
    return f"{mark}{query}" if query else ""


def sip_codes(value: str) -> str:
    """Final SIP status codes, each once and in order."""
    return _codes(value, _SIP_FINAL, "a list of final SIP status codes, 200 to 699, such as 200,486")


def http_codes(value: str) -> str:
    """Final HTTP status codes, each once and in order."""
    return _codes(value, _HTTP_FINAL, "a list of final HTTP status codes, 200 to 599, such as 200,401")


def _codes(value: str, form: re.Pattern[str], wanted: str) -> str:
    codes = value.split(",")
    if not all(form.fullmatch(code) for code in codes):
        raise ValueError(wanted)
    return ",".join(sorted(set(codes)))


def udp_or_tcp(value: str) -> str:
    """The transport of STUN."""
    if value not in ("udp", "tcp"):
        raise ValueError("udp or tcp")
    return value


def only_1(value: str) -> str:
    """A switch, which is on where it is there."""
    if value != "1":
        raise ValueError("1 or left out")
    return value


def alias(value: str) -> str:
    """What a gatekeeper may know a terminal by."""
    # What a BMPString of H.225.0 holds as one unit a character; a longer alias would not fit a target anyway.
    if not 1 <= len(value) <= 128 or not value.isprintable() or max(value) > "\uffff":
        raise ValueError("a number or name of 1 to 128 characters, as the gatekeeper knows it")
    return value
