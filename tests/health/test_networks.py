"""IPv6 addresses that lead to IPv4 ones are judged by the address inside.

Else an IPv6 network that is allowed would open what the list of IPv4 networks closes.
"""

import ipaddress

import pytest

from bridgemgr.errors import Invalid
from bridgemgr.health.networks import AllowedNetworks, ProbeRefused, embedded

EVERYTHING_BUT_LOOPBACK = AllowedNetworks(["::/0", "10.0.0.0/8"])


def teredo(server, client):
    """A Teredo address (RFC 4380 section 4): prefix, server, flags, port and client, the last two inverted."""
    inverted = int(ipaddress.IPv4Address(client)) ^ 0xFFFFFFFF
    return ipaddress.IPv6Address(0x20010000 << 96 | int(ipaddress.IPv4Address(server)) << 64 | inverted)


FORMS = {
    "mapped: the kernel sends IPv4 packets": lambda inside: f"::ffff:{inside}",
    "compatible: the older form, which tunnels still unwrap": lambda inside: f"::{inside}",
    "NAT64: the translator sends IPv4 packets": lambda inside: f"64:ff9b::{inside}",
    "translated: the stateless translator sends IPv4 packets": lambda inside: f"::ffff:0:{inside}",
    "ISATAP: the host wraps it for the IPv4 inside": lambda inside: f"2001:db8::5efe:{inside}",
    "ISATAP of an address that is unique": lambda inside: f"2001:db8::200:5efe:{inside}",
    "6to4: the router wraps it for the IPv4 inside": lambda inside: (
        f"2002:{int(ipaddress.IPv4Address(inside)) >> 16:x}:{int(ipaddress.IPv4Address(inside)) & 0xFFFF:x}::1"
    ),
    "Teredo: the relay sends to the client": lambda inside: teredo("10.0.0.1", inside),
    "Teredo: the relay asks the server": lambda inside: teredo(inside, "10.0.0.1"),
}


@pytest.mark.parametrize("reason", FORMS)
@pytest.mark.parametrize("inside", ["127.0.0.1", "169.254.169.254", "8.8.8.8", "0.0.0.0", "224.0.0.1"])
def test_an_ipv6_form_of_a_closed_address_is_closed(reason, inside):
    with pytest.raises(ProbeRefused):
        EVERYTHING_BUT_LOOPBACK.check(ipaddress.ip_address(FORMS[reason](inside)))


def test_the_refusal_says_where_it_leads():
    with pytest.raises(ProbeRefused, match=r"64:ff9b::7f00:1, which leads to 127\.0\.0\.1, is in none of the networks"):
        EVERYTHING_BUT_LOOPBACK.check(ipaddress.ip_address("64:ff9b::7f00:1"))


@pytest.mark.parametrize("reason", FORMS)
def test_an_ipv6_form_of_an_open_address_is_open(reason):
    EVERYTHING_BUT_LOOPBACK.check(ipaddress.ip_address(FORMS[reason]("10.1.2.3")))


@pytest.mark.parametrize(
    ("address", "inside"),
    [
        ("10.0.0.1", []),
        ("fd00::1", []),
        ("2001:db8::1", []),  # next to Teredo
        ("::1", []),  # loopback itself, and no form of 0.0.0.1
        ("::", []),
        ("2002:7f00:1::5efe:a01:203", ["127.0.0.1", "10.1.2.3"]),
        ("2001:db8::5eff:a01:203", []),  # next to ISATAP
        ("64:ff9b::a01:203", ["10.1.2.3"]),
        (teredo("192.0.2.1", "10.1.2.3"), ["192.0.2.1", "10.1.2.3"]),
    ],
)
def test_what_is_inside(address, inside):
    assert [str(each) for each in embedded(ipaddress.ip_address(address))] == inside


@pytest.mark.parametrize(
    "network", ["2001::/32", "2001:0:1::/48", "64:ff9b::/96", "2002:a00::/24", "::ffff:0:0/96", "64:ff9b:1::/48"]
)
def test_a_network_of_such_forms_cannot_be_allowed(network):
    with pytest.raises(Invalid, match="name the IPv4 network instead"):
        AllowedNetworks([network])


@pytest.mark.parametrize("address", ["64:ff9b:1::a01:203", "64:ff9b:1:a01:2:300::", "64:ff9b:1:ffff::1"])
def test_where_a_network_of_its_own_has_the_ipv4_address_nobody_can_tell(address):
    with pytest.raises(ProbeRefused, match="name that one"):
        AllowedNetworks(["::/0", "0.0.0.0/0"]).check(ipaddress.ip_address(address))
