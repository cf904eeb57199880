"""SIP domains: their servers by SRV records, and what happens past a dead one."""

import contextlib
import socket
import struct

import pytest

from bridgemgr.health.probers import Options, ProbeLog, Probers
from bridgemgr.health.probers.base import Address
from bridgemgr.health.targets import AllowedNetworks, parse_target
from tests.health.hostile import LOOPBACK, answer_sip, closed_port, server_context, sip_reply, tcp_server, udp_peer

NXDOMAIN = 3


def labels(name):
    return b"".join(bytes((len(label),)) + label.encode() for label in name.split(".") if label) + b"\0"


def zone(records):
    """Answers SRV questions by ``records``: name to (priority, weight, port, host); other names do not exist."""

    def answer(query):
        question = query[12:]
        name, at = [], 0
        while length := question[at]:
            name.append(question[at + 1 : at + 1 + length].decode())
            at += 1 + length
        found = records.get(".".join(name), [])
        data = [struct.pack("!HHH", *record[:3]) + labels(record[3]) for record in found]
        answers = b"".join(b"\xc0\x0c" + struct.pack("!HHIH", 33, 1, 60, len(each)) + each for each in data)
        head = query[:2] + struct.pack("!HHHHH", 0x8180 | (0 if found else NXDOMAIN), 1, len(found), 0, 0)
        return [head + question + answers]

    return answer


@contextlib.asynccontextmanager
async def asking(answer, networks=LOOPBACK):
    """Probers whose DNS server is a stub that answers by ``answer``; gives both."""
    async with udp_peer(answer) as (dns, port):
        nameservers = [Address(socket.AF_INET, "127.0.0.1", port)]
        async with Probers(networks, Options(nameservers=lambda: nameservers)) as asked:
            yield asked, dns


async def ask(text, records, timeout=1.0, log=None):
    async with asking(zone(records)) as (asked, _):
        return await asked.probe(parse_target(text), timeout=timeout, log=log)


def alive(status="200 OK", host="127.0.0.1"):
    return udp_peer(lambda request: [sip_reply(request, status)], host)


def dead():
    """Takes requests and never answers."""
    return udp_peer(lambda request: [])


# Which servers


async def test_a_domain_is_asked_where_its_srv_record_says():
    async with alive() as (peer, port):
        seen = await ask("sip:room@hanoi.example", {"_sip._udp.hanoi.example": [(10, 5, port, "localhost")]})
    assert (seen.outcome, seen.ready, seen.address) == ("up", True, "127.0.0.1")
    assert peer.heard[0].startswith(b"OPTIONS sip:room@hanoi.example SIP/2.0\r\n")  # the domain, not the server


async def test_a_domain_that_offers_tcp_alone_is_asked_over_tcp():
    async with tcp_server(answer_sip("200 OK")) as port:
        seen = await ask("sip:hanoi.example", {"_sip._tcp.hanoi.example": [(10, 5, port, "localhost")]})
    assert (seen.outcome, seen.ready) == ("up", True)


async def test_udp_is_preferred_where_the_target_names_no_transport():
    async with alive("486 Busy Here") as (_, udp), tcp_server(answer_sip("200 OK")) as tcp:
        records = {
            "_sip._udp.hanoi.example": [(10, 5, udp, "localhost")],
            "_sip._tcp.hanoi.example": [(10, 5, tcp, "localhost")],
        }
        over_udp = await ask("sip:hanoi.example", records)
        over_tcp = await ask("sip:hanoi.example;transport=tcp", records)
    assert (over_udp.reason, over_tcp.reason) == ("busy", "ok")


async def test_over_tls_the_service_is_sips_and_the_name_is_that_of_the_domain(certificate):
    names = []
    context = server_context(certificate)
    context.sni_callback = lambda tls, name, context: names.append(name)
    async with tcp_server(answer_sip("200 OK"), context=context) as port:
        records = {"_sips._tcp.hanoi.example": [(10, 5, port, "localhost")]}
        seen = await ask("sip:hanoi.example;transport=tls", records)
    assert (seen.outcome, seen.tls_version) == ("up", "TLSv1.3")
    assert names == ["hanoi.example"]  # RFC 5922: who is asked for is the domain


@pytest.mark.parametrize("text", ["sip:localhost:{}", "sip:127.0.0.1:{}"])
async def test_a_port_or_an_address_asks_for_no_srv_record(text):
    async with alive() as (_, port), asking(zone({})) as (asked, dns):
        seen = await asked.probe(parse_target(text.format(port)), timeout=1)
    assert seen.ready is True
    assert dns.heard == []


async def test_a_domain_without_srv_records_is_a_host():
    async with asking(zone({})) as (asked, dns):
        seen = await asked.probe(parse_target("sip:nosuch.invalid"), timeout=3)
    assert len(dns.heard) == 2  # over UDP and over TCP
    assert seen.reason == "dns"


async def test_a_domain_that_says_no_is_down():
    seen = await ask("sip:hanoi.example", {"_sip._udp.hanoi.example": [(0, 0, 0, ".")]})
    assert (seen.outcome, seen.reason) == ("down", "dns")
    assert "says that it offers no SIP" in seen.detail


async def test_an_answer_is_kept_so_that_each_probe_does_not_ask_again():
    async with alive() as (_, port):
        records = {"_sip._udp.hanoi.example": [(10, 5, port, "localhost")]}
        async with asking(zone(records)) as (asked, dns):
            for _ in range(3):
                seen = await asked.probe(parse_target("sip:hanoi.example"), timeout=1)
                assert seen.ready is True
    assert len(dns.heard) == 2


async def test_a_dns_server_that_is_dead_leaves_time_for_the_host_and_slows_one_probe_only():
    async with asking(lambda query: []) as (asked, dns):
        target = parse_target("sip:nosuch.invalid")
        seen = [await asked.probe(target, timeout=1) for _ in range(3)]
    assert 0.29 < seen[0].duration < 1.2
    assert [one.reason for one in seen] == ["dns"] * 3
    assert len(dns.heard) == 2  # once for each transport


# Past a dead one


async def test_a_dead_first_server_is_passed_over_within_the_time_and_the_log_says_so():
    log = ProbeLog()
    async with dead() as (silent, first), alive() as (_, second):
        records = [(20, 0, second, "localhost"), (10, 0, first, "localhost")]
        async with asking(zone({"_sip._udp.hanoi.example": records}), AllowedNetworks(["127.0.0.0/8"])) as (asked, _):
            seen = await asked.probe(parse_target("sip:hanoi.example"), timeout=1, log=log)
    assert (seen.outcome, seen.ready) == ("up", True)
    assert seen.detail == "It answers OPTIONS. Of 2 servers 1 tried before did not serve."
    assert 0.4 < seen.duration < 0.8
    assert len(silent.heard) == 1
    tried = [line.partition("tried ")[2] for line in log.lines if " tried localhost" in line]
    assert tried == [
        f"localhost (127.0.0.1 port {first} over udp): down (timeout)",
        f"localhost (127.0.0.1 port {second} over udp): up (SIP/2.0 200 OK)",
    ]


async def test_a_server_that_refuses_over_tcp_costs_no_time():
    async with tcp_server(answer_sip("200 OK")) as port:
        records = [(1, 0, closed_port(), "localhost"), (2, 0, port, "localhost")]
        seen = await ask("sip:hanoi.example;transport=tcp", {"_sip._tcp.hanoi.example": records}, timeout=2)
    assert seen.ready is True
    assert seen.duration < 0.9


@pytest.mark.parametrize(
    ("status", "goes_on"),
    [
        ("503 Service Unavailable", True),
        ("401 Unauthorized", False),
        ("407 Proxy Authentication Required", False),
        ("408 Request Timeout", False),
        ("486 Busy Here", False),
        ("500 Server Error", False),
        ("600 Busy Everywhere", False),
    ],
)
async def test_of_the_replies_only_503_sends_it_on_to_the_next(status, goes_on):
    async with alive(status) as (_, first), alive("200 OK") as (second, port):
        records = [(1, 0, first, "127.0.0.1"), (2, 0, port, "127.0.0.1")]
        seen = await ask("sip:hanoi.example", {"_sip._udp.hanoi.example": records})
    assert (seen.ready is True) is goes_on
    assert bool(second.heard) is goes_on


async def test_where_none_serves_the_answer_that_says_most_stands():
    async with dead() as (_, first), alive("503 Later") as (_, second), dead() as (_, third):
        records = [(place, 0, port, "127.0.0.1") for place, port in enumerate((first, second, third))]
        seen = await ask("sip:hanoi.example", {"_sip._udp.hanoi.example": records})
    assert (seen.outcome, seen.ready, seen.status) == ("up", False, "SIP/2.0 503 Later")
    assert seen.detail.endswith("3 servers were tried.")


async def test_all_dead_ends_at_the_deadline():
    async with dead() as (_, first), dead() as (_, second):
        records = [(1, 0, first, "127.0.0.1"), (2, 0, second, "127.0.0.1")]
        seen = await ask("sip:hanoi.example", {"_sip._udp.hanoi.example": records}, timeout=0.6)
    assert (seen.outcome, seen.reason) == ("down", "timeout")
    assert 0.55 < seen.duration < 0.9


# What a DNS server may not do


async def test_a_server_outside_the_networks_is_passed_over():
    """Whoever writes the zone must not be able to aim a probe where probes may not go."""
    async with alive() as (_, port), alive(host="127.0.0.2") as (forbidden, aimed):
        records = [(1, 0, aimed, "127.0.0.2"), (2, 0, port, "127.0.0.1")]
        answer = zone({"_sip._udp.hanoi.example": records})
        async with asking(answer, AllowedNetworks(["127.0.0.1/32"])) as (asked, _):
            seen = await asked.probe(parse_target("sip:hanoi.example"), timeout=1)
    assert (seen.ready, seen.address) == (True, "127.0.0.1")
    assert forbidden.heard == []


async def test_nothing_but_servers_outside_is_refused():
    answer = zone({"_sip._udp.hanoi.example": [(1, 0, 5060, "169.254.169.254")]})
    async with asking(answer) as (asked, _):
        seen = await asked.probe(parse_target("sip:hanoi.example"), timeout=1)
    assert (seen.outcome, seen.reason) == ("refused", "not_allowed")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda reply: reply[:20],
        lambda reply: reply[:-3],
        lambda reply: reply[:6] + b"\xff\xff" + reply[8:],
        lambda reply: bytes((reply[0] ^ 1,)) + reply[1:],
        lambda reply: b"\xff" * 600,
    ],
)
async def test_a_broken_answer_counts_as_none(spoil):
    answer = zone({"_sip._udp.nosuch.invalid": [(1, 0, 5060, "localhost")]})
    async with asking(lambda query: [spoil(reply) for reply in answer(query)]) as (asked, _):
        seen = await asked.probe(parse_target("sip:nosuch.invalid"), timeout=1)
    assert seen.reason == "dns"


async def test_hundreds_of_servers_do_not_make_hundreds_of_probes():
    async with contextlib.AsyncExitStack() as stack:
        heard = []
        for _ in range(20):
            peer, port = await stack.enter_async_context(alive("503 Later"))
            heard.append((peer, port))
        records = [(1, 0, port, "127.0.0.1") for _, port in heard]
        seen = await ask("sip:hanoi.example", {"_sip._udp.hanoi.example": records}, timeout=3)
    assert seen.detail.endswith("8 servers were tried.")
    assert sum(len(peer.heard) for peer, _ in heard) == 8
