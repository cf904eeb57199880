"""The service never probes itself or its database, whatever networks are allowed: whoever may write an endpoint could
otherwise have the service knock at its own back door."""

import asyncio
import ipaddress

import pytest

from bridgemgr.health import own_store
from bridgemgr.health.own import OwnPlaces, is_here
from bridgemgr.health.probers import Probers
from bridgemgr.health.probers.resolve import Resolver
from bridgemgr.health.targets import AllowedNetworks, parse_target
from bridgemgr.settings import Settings
from tests.health.hostile import silence, tcp_server, udp_peer
from tests.health.lab import add_endpoint, health_of, probing, rows, until


def settings(**changed):
    return Settings.model_validate({"listen": "10.0.0.5:8080"} | changed)


async def holds(own, address, port):
    return await own.hold(ipaddress.ip_address(address), port, Resolver().addresses)


async def ask(own, text):
    networks = AllowedNetworks(["127.0.0.0/8", "::1/128"])
    async with Probers(networks, own=own) as asked:
        return await asked.probe(parse_target(text), timeout=1)


@pytest.mark.parametrize(
    ("reason", "address", "port", "ours"),
    [
        ("where it listens", "10.0.0.5", 8080, True),
        ("the same address, written as IPv6", "::ffff:10.0.0.5", 8080, True),
        ("the same address behind NAT64", "64:ff9b::a00:5", 8080, True),
        ("another port of that machine is somebody else's", "10.0.0.5", 8081, False),
        ("the same port of a codec is the codec's", "10.0.0.6", 8080, False),
    ],
)
async def test_the_address_it_listens_on(reason, address, port, ours):
    assert await holds(OwnPlaces.of(settings()), address, port) is ours, reason


@pytest.mark.parametrize("wildcard", ["0.0.0.0:8080", "[::]:8080"])
async def test_listening_everywhere_closes_the_port_at_every_address_of_this_machine(wildcard):
    own = OwnPlaces.of(settings(listen=wildcard))
    for address in ("127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"):
        assert await holds(own, address, 8080)
    assert not await holds(own, "192.0.2.1", 8080)


async def test_a_port_that_was_chosen_freely_is_told_once_it_is_known():
    own = OwnPlaces.of(settings(listen="127.0.0.1:0"))
    assert not await holds(own, "127.0.0.1", 0)  # icmp has no port, and pinging is no harm
    own.listens("127.0.0.1", 34567)
    assert await holds(own, "127.0.0.1", 34567)


@pytest.mark.parametrize(
    ("dsn", "address", "port", "ours"),
    [
        ("postgresql://u:p%40x@10.0.0.7/db", "10.0.0.7", 5432, True),
        ("postgresql://u:p@10.0.0.7:6432,10.0.0.8/db", "10.0.0.7", 6432, True),
        ("postgresql://u:p@10.0.0.7:6432,10.0.0.8/db", "10.0.0.8", 5432, True),
        ("postgresql://u:p@10.0.0.7:6432,10.0.0.8/db", "10.0.0.7", 5432, False),
        ("postgresql://u:p@[fd00::7]/db", "fd00::7", 5432, True),
        ("postgresql:///db?host=10.0.0.7,10.0.0.8&port=6432", "10.0.0.8", 6432, True),
        ("postgresql:///db?host=/var/run/postgresql", "127.0.0.1", 5432, False),  # a file, which no probe reaches
        ("postgresql:///db", "127.0.0.1", 5432, True),
        ("postgresql://u@localhost/db", "127.0.0.1", 5432, True),
        ("postgresql://u@localhost/db", "127.8.8.8", 5432, True),  # it may listen at every address of this machine
        ("postgresql://u@nosuch.invalid/db", "10.0.0.9", 5432, True),  # not known now, so it might be
        ("postgresql://u@nosuch.invalid/db", "10.0.0.9", 5060, False),
    ],
)
async def test_the_database(dsn, address, port, ours):
    own = OwnPlaces.of(settings(database={"dsn": dsn}))
    assert await holds(own, address, port) is ours


async def test_the_embedded_database_has_no_address_and_the_sites_listener_has_one(tmp_path):
    files = {}
    for name in ("certificate", "key"):
        files[name] = str(tmp_path / name)
        (tmp_path / name).write_text("x")
    own = OwnPlaces.of(settings(sites={"listen": "10.0.0.5:8443", **files}))
    assert await holds(own, "10.0.0.5", 8443)
    assert not await holds(own, "127.0.0.1", 5432)


async def test_nothing_is_sent_there_though_the_network_is_allowed():
    connected = []

    async def count(reader, writer):
        connected.append(1)
        await silence(reader, writer)

    async with tcp_server(count) as port, udp_peer(lambda data: []) as (peer, other):
        own = OwnPlaces()
        own.listens("127.0.0.1", port)
        own.listens("127.0.0.1", other)
        seen = [
            await ask(own, text)
            for text in (
                f"tcp://127.0.0.1:{port}",
                f"tls://localhost:{port}",
                f"tcp://[::ffff:127.0.0.1]:{port}",
                f"https://127.0.0.1:{port}/-/reload",
                f"sip:127.0.0.1:{port};transport=tcp",
                f"sip:127.0.0.1:{other}",
                f"h323://127.0.0.1:{other}",
            )
        ]
    assert {(one.outcome, one.reason) for one in seen} == {("refused", "not_allowed")}
    assert seen[0].detail == f"127.0.0.1 port {port} is this service itself, or its database."
    assert (connected, peer.heard) == ([], [])


async def test_a_codec_option_does_not_lead_to_an_own_port():
    own = OwnPlaces()
    own.listens("127.0.0.1", 1720)
    seen = await ask(own, "h323://127.0.0.1?codec=1")
    assert seen.reason == "not_allowed"


async def test_its_own_web_pages_at_another_address_are_another_service():
    async with tcp_server(silence) as port:
        own = OwnPlaces()
        own.listens("127.0.0.2", port)
        seen = await ask(own, f"tcp://127.0.0.1:{port}")
    assert seen.outcome == "up"


def test_this_machine_knows_its_own_addresses():
    assert is_here(ipaddress.ip_address("127.0.0.1"))
    assert not is_here(ipaddress.ip_address("192.0.2.1"))


async def test_the_scheduler_refuses_an_endpoint_that_is_aimed_at_the_service(database):
    connected = []

    async def count(reader, writer):
        connected.append(1)
        await silence(reader, writer)

    async with tcp_server(count) as port, probing(database) as scheduler:
        scheduler.own.listens("127.0.0.1", port)
        endpoint = await add_endpoint(database, None, f"tcp://127.0.0.1:{port}")
        scheduler.reload()
        health = await until(lambda: health_of(database, endpoint), 30)
    assert (health["state"], health["reason"]) == ("unknown", "not_allowed")
    assert connected == []


async def test_no_process_probes_where_another_one_listens(database):
    connected = []

    async def count(reader, writer):
        connected.append(1)
        await silence(reader, writer)

    other = OwnPlaces()  # of a process that serves pages and probes nothing
    announcing = asyncio.create_task(other.announce(database))
    async with tcp_server(count) as port:
        other.listens("127.0.0.1", port)
        await until(lambda: rows(database, f"SELECT FROM own_places WHERE port = {port}"))
        endpoint = await add_endpoint(database, None, f"tcp://[::ffff:127.0.0.1]:{port}")
        async with probing(database):
            health = await until(lambda: health_of(database, endpoint), 30)
    announcing.cancel()
    assert (health["reason"], connected) == ("not_allowed", [])


async def test_what_was_announced_is_forgotten_after_a_day(database):
    await rows(database, "INSERT INTO own_places VALUES ('10.0.0.9', 80, now() - interval '25 hours')")
    async with database.transaction() as conn:
        assert await own_store.announced(conn) == []
        await own_store.announce(conn, {("10.0.0.5", 8080), ("::", 8443)})
        await own_store.announce(conn, {("10.0.0.5", 8080)})
        assert await own_store.announced(conn) == [("10.0.0.5", 8080), ("::", 8443)]
    assert len(await rows(database, "SELECT FROM own_places")) == 2
