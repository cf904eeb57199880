"""Probes names that a DNS server of ours leads astray, in network and mount namespaces of its own.

``unshare -nm python -m tests.health.rebinding_lab FOLDER`` prints, as JSON, what each probe saw and how many packets or
connections came to the address that is allowed and to the one that is not.
"""

import asyncio
import json
import socket
import struct
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

from bridgemgr.health.probers import Probers
from bridgemgr.health.targets import AllowedNetworks, parse_target

ALLOWED, FORBIDDEN = "127.0.0.1", "169.254.169.254"
TARGETS = [
    "tcp://{}:7000",
    "tls://{}:7000",
    "http://{}:7000/",
    "https://{}:7000/",
    "stun://{}:7000",
    "stun://{}:7000?transport=tcp",
    "dns://{}:7000/core.test",
    "sip:{}:7000",
    "sip:{}:7000;transport=tcp",
    "h323://{}:7000",
    "icmp://{}",
]
_turns: Counter[str] = Counter()
_arrived: Counter[str] = Counter()


def _addresses(name: str) -> list[str]:
    """``both`` has both addresses in turning order; ``turns`` has another one each time that it is asked for."""
    _turns[name] += 1
    pair = [ALLOWED, FORBIDDEN][:: 1 if _turns[name] % 2 else -1]
    return pair if name == "both.test" else pair[:1]


def _resolve(server: socket.socket) -> None:
    while True:
        query, sender = server.recvfrom(512)
        end = query.index(b"\0", 12) + 5
        kind = struct.unpack_from("!H", query, end - 4)[0]
        labels, at = [], 12
        while length := query[at]:
            labels.append(query[at + 1 : at + 1 + length].decode().lower())
            at += 1 + length
        name = ".".join(labels)
        found = _addresses(name) if kind == 1 and name in ("both.test", "turns.test") else []
        records = b"".join(b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4" + socket.inet_aton(each) for each in found)
        head = query[:2] + b"\x81\x80" + struct.pack("!HHHH", 1, len(found), 0, 0)
        server.sendto(head + query[12:end] + records, sender)


def _count_tcp(listener: socket.socket, address: str) -> None:
    while True:
        connection, _ = listener.accept()
        _arrived[address] += 1
        connection.close()


def _count_udp(sock: socket.socket, address: str) -> None:
    while True:
        sock.recvfrom(4096)
        _arrived[address] += 1


def _start(work, *arguments) -> None:
    threading.Thread(target=work, args=arguments, daemon=True).start()


async def _probe() -> list[tuple[str, str, str | None]]:
    seen = []
    async with Probers(AllowedNetworks(["127.0.0.0/8"])) as probers:
        for name in ("both.test", "turns.test"):
            for form in TARGETS * 2:
                target = parse_target(form.format(name))
                found = await probers.probe(target, timeout=0.3)
                seen.append((target.text, found.outcome, found.address))
    return seen


def main() -> None:
    folder = Path(sys.argv[1])
    (folder / "resolv.conf").write_text("nameserver 127.0.0.1\n")
    for command in (
        f"mount --bind {folder}/resolv.conf /etc/resolv.conf",
        "ip link set lo up",
        f"ip address add {FORBIDDEN}/32 dev lo",
    ):
        subprocess.run(command.split(), check=True)
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 53))
    _start(_resolve, server)
    for address in (ALLOWED, FORBIDDEN):
        _start(_count_tcp, socket.create_server((address, 7000)), address)
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.bind((address, 7000))
        _start(_count_udp, udp, address)
    seen = asyncio.run(_probe())
    print(json.dumps({"seen": seen, "arrived": _arrived, "asked": _turns}))


if __name__ == "__main__":
    main()
