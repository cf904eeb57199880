"""SIP messages (RFC 3261), as far as an OPTIONS ping needs them: build the request, recognise its reply."""

import re
import secrets
from typing import NamedTuple

from bridgemgr.health.probers.base import Observation, printable
from bridgemgr.health.targets import Target

_MAGIC = "z9hG4bK"  # RFC 3261 section 8.1.1.7
_CSEQ = b"1"

_STATUS_LINE = re.compile(rb"SIP/2\.0 ([1-6]\d\d)(?: ([^\r\n]*))?\r\n")
_FOLDED = re.compile(rb"\r\n[ \t]+")
# Only the first Via is ours (section 18.1.2); several may share a line, parted by commas.
_VIA = re.compile(rb"\r\n(?:via|v)[ \t]*:([^\r\n,]*)", re.IGNORECASE)
_BRANCH = re.compile(rb";[ \t]*branch[ \t]*=[ \t]*([^;, \t]+)", re.IGNORECASE)
_CSEQ_LINE = re.compile(rb"\r\ncseq[ \t]*:[ \t]*(\d{1,10})[ \t]+([A-Za-z]+)[ \t]*\r\n", re.IGNORECASE)
_LENGTH = re.compile(rb"\r\n(?:content-length|l)[ \t]*:[ \t]*(\d{1,6})[ \t]*\r\n", re.IGNORECASE)


class Reply(NamedTuple):
    """A SIP response.

    Attributes:
        code: 100-699.
        status: the status line, printable.
        branch: of the top Via.
    """

    code: int
    status: str
    branch: bytes


def new_branch() -> str:
    """A branch that is unique and cannot be guessed; a reply must carry it."""
    return _MAGIC + secrets.token_hex(8)


def options_request(target: Target, local: tuple[str, int], branch: str) -> bytes:
    """An OPTIONS request (section 11.1) with an empty rport (RFC 3581).

    Args:
        target: a SIP target.
        local: address and port where replies arrive.
        branch: the transaction; sent again unchanged on a retransmit.
    """
    host = f"[{local[0]}]" if ":" in local[0] else local[0]
    transport = target.transport or "udp"
    unique = secrets.token_hex(12)
    via = "TLS" if transport == "tls" else transport.upper()
    contact = "" if transport == "udp" else f";transport={transport}"
    return (
        f"OPTIONS {target.uri} SIP/2.0\r\n"
        f"Via: SIP/2.0/{via} {host}:{local[1]};branch={branch};rport\r\n"
        "Max-Forwards: 70\r\n"
        f"From: <sip:bridgemgr@{host}>;tag={unique[:8]}\r\n"
        f"To: <{target.uri}>\r\n"
        f"Call-ID: {unique}@{host}\r\n"
        "CSeq: 1 OPTIONS\r\n"
        f"Contact: <sip:bridgemgr@{host}:{local[1]}{contact}>\r\n"
        "Accept: application/sdp\r\n"
        "User-Agent: bridgemgr\r\n"
        "Content-Length: 0\r\n"
        "\r\n"
    ).encode()


def parse_reply(message: bytes) -> Reply | None:
    """Read a response to an OPTIONS of ours.

    Returns:
        None for a request, for a response to another method, and for what is not SIP.
    """
    line = _STATUS_LINE.match(message)
    if line is None:
        return None
    head = unfolded(message)
    via, cseq = _VIA.search(head), _CSEQ_LINE.search(head)
    if via is None or cseq is None or cseq[1] != _CSEQ or cseq[2] != b"OPTIONS":
        return None
    branch = _BRANCH.search(via[1])
    if branch is None:
        return None
    return Reply(int(line[1]), printable(line[0].rstrip()), branch[1])


def content_length(head: bytes) -> int | None:
    """The length of the body that follows ``head``, bytes; None where it is missing or no number."""
    match = _LENGTH.search(unfolded(head))
    return int(match[1]) if match else None


def unfolded(message: bytes) -> bytes:
    """The head of ``message`` with each header on one line (section 7.3.1)."""
    end = message.find(b"\r\n\r\n")
    head = message if end < 0 else message[: end + 2]
    if b"\r\n " in head or b"\r\n\t" in head:
        return _FOLDED.sub(b" ", head)
    return head


def judge(reply: Reply, seconds: float, ready: str | None) -> Observation:
    """What a final reply says: anything but 408 is reachable, 2xx is ready.

    A 408 comes from a proxy whose own next hop was silent.

    Args:
        reply: with a code of 200 or more.
        seconds: from the first request to the reply.
        ready: the codes, parted by commas, that count as ready in place of 2xx; None for those.
    """
    if ready is not None and str(reply.code) in ready.split(","):
        detail = f"It answered {reply.status}, which counts as ready here."
        return Observation(True, True, "ok", detail, round_trip=seconds, status=reply.status)
    if reply.code == 408:
        return Observation(False, False, "timeout", "A proxy answered that the target is silent.", status=reply.status)
    if reply.code < 300 and ready is None:
        return Observation(True, True, "ok", "It answers OPTIONS.", round_trip=seconds, status=reply.status)
    if reply.code in (486, 600):
        return Observation(True, False, "busy", "It is in a call.", round_trip=seconds, status=reply.status)
    detail = f"It answered {reply.status}."
    return Observation(True, False, "status", detail, round_trip=seconds, status=reply.status)
