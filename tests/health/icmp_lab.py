"""Runs one ICMP probe in a network namespace of its own, where the kernel answers no echo and a peer of ours does.

``unshare -n python -m tests.health.icmp_lab BEHAVIOUR raw|ping`` prints the observation as JSON.
"""

import asyncio
import json
import os
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from bridgemgr.health.targets import parse_target
from tests.health.hostile import probers

_HEADER = struct.Struct("!BBHHH")
Behaviour = Callable[[int, bytes, Callable[..., None]], None]


def _lossy(sequence, payload, reply):
    if sequence != 1:
        reply()


def _foreign(sequence, payload, reply):
    reply(payload=bytes(8) + payload[8:])
    reply(payload=payload[:7])
    reply(sequence=sequence + 7)
    reply(code=1)
    reply(source="127.0.0.2")


def _twice(sequence, payload, reply):
    if sequence == 0:
        reply()
        reply()
        reply()


def _uneven(sequence, payload, reply):
    if sequence == 1:
        time.sleep(UNEVEN)
    reply()


UNEVEN = 0.08  # seconds by which the reply to the second of three echoes comes late
BEHAVIOURS: dict[str, Behaviour] = {
    "honest": lambda sequence, payload, reply: reply(),
    "silent": lambda sequence, payload, reply: None,
    "lossy": _lossy,
    "foreign": _foreign,
    "twice": _twice,
    "uneven": _uneven,
    "unlike": lambda sequence, payload, reply: reply(identifier=1),
}


def _checksum(data: bytes) -> int:
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _answer(peer: socket.socket, behave: Behaviour) -> None:
    while True:
        data, sender = peer.recvfrom(2048)
        kind, _, _, identifier, sequence = _HEADER.unpack_from(data, 20)
        if kind != 8:
            continue
        asked = {"identifier": identifier, "sequence": sequence, "payload": data[28:]}

        def reply(source="127.0.0.1", code=0, asked=asked, sender=sender, **changed):
            said = asked | changed
            bare = _HEADER.pack(0, code, 0, said["identifier"], said["sequence"]) + said["payload"]
            packet = bare[:2] + struct.pack("!H", _checksum(bare)) + bare[4:]
            with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as sock:
                sock.bind((source, 0))
                sock.sendto(packet, sender)

        behave(sequence, asked["payload"], reply)


async def _probe() -> None:
    async with probers() as asked:
        seen = await asked.probe(parse_target("icmp://127.0.0.1"), timeout=0.6)
    print(json.dumps(asdict(seen) | {"outcome": seen.outcome}))


def main() -> None:
    behaviour, kind = sys.argv[1:]
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    kernel = Path("/proc/sys/net/ipv4")
    (kernel / "icmp_echo_ignore_all").write_text("1")
    peer = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    threading.Thread(target=_answer, args=(peer, BEHAVIOURS[behaviour]), daemon=True).start()
    if kind == "ping":
        (kernel / "ping_group_range").write_text("0 2147483647")
        os.setgid(65534)
    asyncio.run(_probe())


if __name__ == "__main__":
    main()
