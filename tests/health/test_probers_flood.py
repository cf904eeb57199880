"""A peer that never stops answering over UDP ends one probe at its deadline and holds up no other."""

import asyncio
import contextlib
import socket
import threading
import time

import pytest

from bridgemgr.health.targets import parse_target
from tests.health import ras
from tests.health.hostile import probers, sip_reply, udp_peer
from tests.health.test_probers_stun import good as stun_reply

GOOD = {
    "sip:127.0.0.1:{}": sip_reply,
    "stun://127.0.0.1:{}": stun_reply,
    "h323://127.0.0.1:{}": lambda request: [ras.said("GCF", request)],
}
FOREIGN = {
    "sip:127.0.0.1:{}": b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP x;branch=z9hG4bKx\r\nCSeq: 1 OPTIONS\r\n\r\n",
    "stun://127.0.0.1:{}": bytes.fromhex("010100002112a442") + bytes(12),
    "h323://127.0.0.1:{}": bytes.fromhex("0480ffff060008914a0004"),
}


@contextlib.contextmanager
def flood(datagram):
    """A peer in a thread of its own that sends ``datagram`` without end to whoever asks once; gives its port."""
    stop = threading.Event()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(5)

        def pour():
            with contextlib.suppress(TimeoutError):
                _, asker = sock.recvfrom(4096)
                while not stop.is_set():
                    for _ in range(100):
                        sock.sendto(datagram, asker)
                    time.sleep(0.001)  # the interpreter is shared with the prober

        thread = threading.Thread(target=pour)
        thread.start()
        try:
            yield sock.getsockname()[1]
        finally:
            stop.set()
            thread.join()


@pytest.mark.parametrize("form", GOOD)
async def test_a_flood_ends_its_own_probe_alone(form):
    with flood(FOREIGN[form]) as hostile:
        async with probers() as asked, udp_peer(lambda request: _listed(GOOD[form](request))) as (_, port):
            flooded = asyncio.create_task(asked.probe(parse_target(form.format(hostile)), timeout=0.6))
            await asyncio.sleep(0.1)
            seen = [await asked.probe(parse_target(form.format(port)), timeout=2) for _ in range(5)]
            ended = await flooded
    assert [one.ready for one in seen] == [True] * 5
    assert (ended.outcome, ended.reason) in {("down", "timeout"), ("unknown", "overloaded")}
    assert ended.duration < 2


def _listed(reply):
    return reply if isinstance(reply, list) else [reply]
