"""The reading of what a stranger wrote."""

import contextlib
import struct
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridgemgr.health.probers.dns_message import Garbled, query, read_answers, read_head, values
from bridgemgr.health.questions import RECORD_TYPES, Question

HEAD = struct.pack("!H4H", 0x8180, 1, 1, 0, 0)


@given(st.binary(max_size=200), st.sampled_from([b"", b"\0\0" + HEAD, b"\0\0" + HEAD + b"\0\0\1\0\1"]))
def test_no_message_breaks_the_reader(tail, start):
    message = start + tail
    head = read_head(message)
    if head is None:
        return
    with contextlib.suppress(Garbled):
        for record in read_answers(message, head):
            assert record.value.isprintable()
            assert record.name.isprintable()


@given(st.integers(0, 64), st.data())
def test_no_change_of_a_good_message_breaks_the_reader(cut, data):
    records = b"".join(
        b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 60, 20) + b"\x01a\xc0\x0c" + bytes(16)
        for kind in RECORD_TYPES.values()
    )
    message = bytearray(b"\0\0" + struct.pack("!H4H", 0x8180, 1, 9, 0, 0) + b"\x04core\0\0\1\0\1" + records)
    for _ in range(3):
        message[data.draw(st.integers(12, len(message) - 1))] = data.draw(st.integers(0, 255))
    changed = bytes(message[: len(message) - cut])
    head = read_head(changed)
    if head is not None:
        with contextlib.suppress(Garbled):
            values(read_answers(changed, head), Question("core"))


@pytest.mark.parametrize("name", ["core.bridge.test", "_sip._udp.x", "a" * 63, ".", ".".join(["a" * 49] * 5)])
def test_a_query_is_read_as_it_was_written(name):
    written = bytearray(query(7, Question(name, "SRV")))
    written[2] |= 0x80
    head = read_head(bytes(written))
    assert (head.ident, head.question, head.end) == (7, (name, 33, 1), len(written))


BEHIND = 28  # where the fillings lie: behind the header, the question and the fields of the first record


@pytest.mark.parametrize(
    ("filling", "owner"),
    [
        # Pointers to pointers: each record's owner is at the far end of the chain.
        (b"\0\0" + b"".join(struct.pack("!H", 0xC000 | at) for at in range(BEHIND, 16_000, 2)), 16_000),
        # The longest name, of 127 labels: each record's owner and value.
        (b"\x01a" * 127 + b"\0", BEHIND),
    ],
    ids=["pointers", "labels"],
)
def test_the_largest_message_costs_little(filling, owner):
    """It is read on the event loop, so what it may cost others is bounded."""
    start = b"\0\0" + struct.pack("!H4H", 0x8180, 1, 60_000, 0, 0) + b"\0\0\1\0\1"
    first = b"\0" + struct.pack("!HHIH", 99, 1, 0, len(filling)) + filling
    pointer = struct.pack("!H", 0xC000 | owner)
    record = pointer + struct.pack("!HHIH", 5, 1, 0, 2) + pointer
    message = start + first + record * ((65_535 - len(start + first)) // len(record))
    head = read_head(message)
    started = time.process_time()
    with contextlib.suppress(Garbled):
        assert len(read_answers(message, head)) == 256
    assert time.process_time() - started < 0.2
