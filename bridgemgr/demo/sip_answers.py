"""What a simulated codec answers to SIP requests: a stateless user agent server (RFC 3261 section 8.2)."""

from dataclasses import dataclass
from hashlib import sha256

_ALLOW = "OPTIONS, INVITE, ACK, CANCEL, BYE"
_REASONS = {200: "OK", 405: "Method Not Allowed", 486: "Busy Here", 503: "Service Unavailable"}
# The compact forms of the headers that are copied (RFC 3261 section 7.3.3).
_COMPACT = {"v": "via", "f": "from", "t": "to", "i": "call-id", "l": "content-length"}
_COPIED = (("from", "From"), ("call-id", "Call-ID"), ("cseq", "CSeq"))


@dataclass(frozen=True, slots=True)
class Request:
    """A request as far as an answer needs it.

    Attributes:
        method: upper case, such as ``OPTIONS``.
        headers: the values by lower-case full name, in the order of the message.
    """

    method: str
    headers: dict[str, list[str]]

    @property
    def content_length(self) -> int:
        """The length of the body in bytes; 0 where it is not said, ValueError where it is no number."""
        return int(self.headers.get("content-length", ["0"])[0])


def parse_request(head: bytes) -> Request | None:
    """Read the start line and headers of a request, as far as the first empty line.

    None where nothing could be answered: not SIP, a response, or a mandatory header is missing.
    """
    try:
        text = head.partition(b"\r\n\r\n")[0].decode()
    except UnicodeDecodeError:
        return None
    # A line that begins with a space continues the one before (RFC 3261 section 7.3.1).
    start, *lines = text.replace("\r\n ", " ").replace("\r\n\t", " ").split("\r\n")
    words = start.split(" ")
    if len(words) != 3 or words[2] != "SIP/2.0":
        return None
    headers: dict[str, list[str]] = {}
    for line in lines:
        name, _, value = line.partition(":")
        name = name.strip().lower()
        headers.setdefault(_COMPACT.get(name, name), []).append(value.strip())
    if any(name not in headers for name in ("via", "to", *(name for name, _ in _COPIED))):
        return None
    return Request(words[0].upper(), headers)


def answer(request: Request, source: tuple[str, int], status: int) -> bytes | None:
    """The response to a request that came from ``source``, an address and port.

    OPTIONS gets ``status``, any other method 405, and ACK nothing (RFC 3261 section 17.1.1.3).
    """
    if request.method == "ACK":
        return None
    status = status if request.method == "OPTIONS" else 405
    first, *others = request.headers["via"]
    lines = [f"SIP/2.0 {status} {_REASONS.get(status, 'Simulated')}", f"Via: {_received(first, source)}"]
    lines += [f"Via: {via}" for via in others]
    lines.append(f"To: {_tagged(request)}")
    lines += [f"{shown}: {request.headers[name][0]}" for name, shown in _COPIED]
    lines += [f"Allow: {_ALLOW}", "Accept: application/sdp", "Accept-Encoding: identity"]
    lines += ["Accept-Language: vi, en", "Supported:"]
    if status == 503:
        lines.append("Retry-After: 30")
    return "\r\n".join([*lines, "Content-Length: 0", "", ""]).encode()


def reply_address(request: Request, source: tuple[str, int]) -> tuple[str, int]:
    """Where a response over UDP goes: back to ``source``, or to the port that the Via names.

    With rport to the source port (RFC 3581 section 4), without it to the sent-by port, else 5060
    (RFC 3261 section 18.2.2).
    """
    parameters = _top(request.headers["via"][0]).split(";")
    if any(parameter.strip().lower() == "rport" for parameter in parameters[1:]):
        return source
    port = parameters[0].split()[-1].rpartition(":")[2]
    return source[0], int(port) if port.isdigit() and 0 < int(port) < 65536 else 5060


def _received(via: str, source: tuple[str, int]) -> str:
    """The top Via with where the request really came from (RFC 3581 section 4)."""
    top = _top(via)
    parts = [f"rport={source[1]}" if part.strip().lower() == "rport" else part for part in top.split(";")]
    return ";".join([*parts, f"received={source[0]}"]) + via[len(top) :]


def _top(via: str) -> str:
    """The first of the values that a Via line may hold, separated by commas."""
    return via.split(",", 1)[0]


def _tagged(request: Request) -> str:
    """To with a tag, the same for a retransmission, as a stateless server owes it (section 8.2.7)."""
    to = request.headers["to"][0]
    if ";tag=" in to.lower():
        return to
    return f"{to};tag={sha256(request.headers['call-id'][0].encode()).hexdigest()[:16]}"
