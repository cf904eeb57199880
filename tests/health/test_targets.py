import ipaddress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridgemgr.errors import Forbidden, Invalid
from bridgemgr.health.probers import PROBERS
from bridgemgr.health.targets import FORMS, AllowedNetworks, ProbeRefused, parse_target


@pytest.mark.parametrize(
    ("text", "canonical", "host", "port"),
    [
        ("icmp://10.1.2.3", "icmp://10.1.2.3", "10.1.2.3", 0),
        ("ICMP://Codec.Q1.example", "icmp://codec.q1.example", "codec.q1.example", 0),
        ("icmp://[2001:DB8::0:1]", "icmp://[2001:db8::1]", "2001:db8::1", 0),
        ("tcp://codec:1720", "tcp://codec:1720", "codec", 1720),
        ("tcp://[fd00::1]:80", "tcp://[fd00::1]:80", "fd00::1", 80),
        ("tls://10.0.0.1:05061", "tls://10.0.0.1:5061", "10.0.0.1", 5061),
        ("https://codec", "https://codec/", "codec", 443),
        ("https://codec:443/a?b=%20c", "https://codec/a?b=%20c", "codec", 443),
        ("https://codec?x", "https://codec/?x", "codec", 443),
        ("https://[fd00::1]:8443/", "https://[fd00::1]:8443/", "fd00::1", 8443),
        ("HTTP://Codec", "http://codec/", "codec", 80),
        ("http://codec:80/a?b#ready=404,200,404", "http://codec/a?b#ready=200,404", "codec", 80),
        ("http://codec:443/#", "http://codec:443/", "codec", 443),
        ("https://[fd00::1]?a=b#ready=401", "https://[fd00::1]/?a=b#ready=401", "fd00::1", 443),
        ("icmp://[::ffff:10.0.0.1]", "icmp://[::ffff:10.0.0.1]", "::ffff:10.0.0.1", 0),
        ("icmp://[64:FF9B::10.0.0.1]", "icmp://[64:ff9b::a00:1]", "64:ff9b::a00:1", 0),
        ("DNS://Core/Example.ORG.", "dns://core/example.org", "core", 53),
        ("dns://core:53/a?type=a", "dns://core/a", "core", 53),
        ("dns://[fd00::1]:5353/a?expect=10.0.0.1&type=a", "dns://[fd00::1]:5353/a?expect=10.0.0.1", "fd00::1", 5353),
        ("dns://core/.?type=ns", "dns://core/.?type=NS", "core", 53),
        ("dns://core/a?expect=10%20Mail.a.&type=MX", "dns://core/a?type=MX&expect=10%20mail.a", "core", 53),
        ("dns://core/a?type=AAAA&expect=FD00:0:0::1", "dns://core/a?type=AAAA&expect=fd00::1", "core", 53),
        ("dns://core/a?type=AAAA&expect=::FFFF:a00:1", "dns://core/a?type=AAAA&expect=::ffff:10.0.0.1", "core", 53),
        ("dns://core/a?type=TXT&expect=Vâng%26%23", "dns://core/a?type=TXT&expect=V%C3%A2ng%26%23", "core", 53),
        ("stun://Core:3478", "stun://core", "core", 3478),
        ("stun://[fd00::1]:19302?transport=udp", "stun://[fd00::1]:19302", "fd00::1", 19302),
        ("stun://core?transport=tcp", "stun://core?transport=tcp", "core", 3478),
        ("sip:10.0.0.9", "sip:10.0.0.9", "10.0.0.9", 5060),
        ("sip:room-1@10.0.0.9:5060", "sip:room-1@10.0.0.9", "10.0.0.9", 5060),
        ("sip:room-1@codec:5060", "sip:room-1@codec:5060", "codec", 5060),
        ("sip:a@codec;transport=tcp?ready=486,200,486", "sip:a@codec;transport=tcp?ready=200,486", "codec", 5060),
        ("H323://Gk", "h323://gk", "gk", 1719),
        ("h323://gk:1719/?codec=1", "h323://gk?codec=1", "gk", 1719),
        ("h323://codec:1720", "h323://codec:1720", "codec", 1720),
        ("h323://[fd00::1]?locate=Phường%205", "h323://[fd00::1]?locate=Ph%C6%B0%E1%BB%9Dng%205", "fd00::1", 1719),
        ("https://Phường.example/", "https://xn--phng-rib8295b.example/", "xn--phng-rib8295b.example", 443),
        ("sip:codec;transport=UDP", "sip:codec", "codec", 5060),
        ("sip:codec;transport=tls", "sip:codec;transport=tls", "codec", 5061),
        ("sip:a@[fd00::1]:5070;transport=tcp", "sip:a@[fd00::1]:5070;transport=tcp", "fd00::1", 5070),
    ],
)
def test_a_target_is_read_and_written_in_canonical_form(text, canonical, host, port):
    target = parse_target(text)
    assert (target.text, target.host, target.port) == (canonical, host, port)
    assert parse_target(canonical) == target


def test_the_parts_of_a_target():
    sip = parse_target("sip:room@10.0.0.9;transport=tls")
    assert (sip.scheme, sip.user, sip.transport) == ("sip", "room", "tls")
    assert sip.address == ipaddress.ip_address("10.0.0.9")
    assert sip.uri == sip.text
    https = parse_target("https://codec:8443/x?y")
    assert (https.path, https.authority, https.address) == ("/x?y", "codec:8443", None)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is no target. Write one of: icmp://host, tcp://host:port"),
        ("codec", "is no target"),
        ("ftp://codec", "is no target"),
        ("dns:codec", "it lacks '//'"),
        ("dns://10.0.0.1", "the name to ask for is missing after the server"),
        ("dns://10.0.0.1/?type=A", "the name to ask for is missing after the server"),
        ("dns://10.0.0.1/-x.example", "'-x.example' is no domain name in ASCII"),
        ("dns://10.0.0.1/a/b", "'a/b' is no domain name"),
        ("dns://10.0.0.1/10.1.2.3", "what has it for a name is 3.2.1.10.in-addr.arpa, of type PTR"),
        ("dns://10.0.0.1/phường.example", "is no domain name in ASCII"),
        ("dns://10.0.0.1/" + ".".join(["a" * 60] * 5), "at most 255 characters"),
        ("dns://10.0.0.1/a?type=ANY", "type is one of A, NS, CNAME"),
        ("dns://10.0.0.1/a?type=A&type=NS", "'type=NS' is not understood; type or expect may follow"),
        ("dns://10.0.0.1/a?class=CH", "'class=CH' is not understood"),
        ("dns://10.0.0.1/a?expect=", "expect wants a value"),
        ("dns://10.0.0.1/a?expect=%0a", "expect wants a value, without control characters"),
        ("dns://10.0.0.1/a?expect=fd00::1", "expect=fd00::1 is no address that a record of type A has"),
        ("dns://10.0.0.1/a?type=AAAA&expect=10.0.0.1", "no address that a record of type AAAA has"),
        ("dns://10.0.0.1/a?type=NS&expect=phường.example", "is written in its xn-- form"),
        ("stun:codec", "it lacks '//'"),
        ("stun://codec/x", "stun takes no path"),
        ("stun://codec?transport=tls", "transport is udp or tcp"),
        ("stun://codec?x=1", "'x=1' is not understood; transport may follow"),
        ("h323:codec", "it lacks '//'"),
        ("h323://codec/x", "h323 takes no path"),
        ("h323://u:p@codec", "a user or password does not belong in it"),
        ("h323://codec?codec=2", "codec is 1 or left out"),
        ("h323://codec?codec=1&locate=9", "exclude each other"),
        ("h323://codec:1720?codec=1", "exclude each other"),
        ("h323://codec?locate=", "a number or name of 1 to 128 characters"),
        ("h323://codec?locate=%f0%9f%98%80", "a number or name of 1 to 128 characters"),
        ("h323://codec?setup=1", "'setup=1' is not understood; codec or locate may follow"),
        ("sips:codec", "Write sip:host;transport=tls"),
        ("icmp:codec", "it lacks '//'"),
        ("icmp://", "the host is missing"),
        ("icmp://codec:7", "icmp takes no port"),
        ("icmp://codec/x", "icmp takes no path"),
        ("tcp://codec", "the port is missing"),
        ("tcp://codec:0", "'0' is not a number from 1 to 65535"),
        ("tcp://codec:65536", "'65536' is not a number"),
        ("tcp://codec:", "'' is not a number"),
        ("tcp://codec:+80", "'+80' is not a number"),
        ("tcp://codec:80/", "tcp takes no path"),
        ("tcp://user@codec:80", "a user or password does not belong in it"),
        ("https://u:p@codec/", "a user or password does not belong in it"),
        ("https://codec/#top", "'top' is not understood; ready may follow the '#'"),
        ("http://codec/#ready=200&ready=201", "'ready=201' is not understood"),
        ("http://codec/#ready=100", "ready is a list of final HTTP status codes, 200 to 599"),
        ("http://codec/#ready=", "ready is a list of final HTTP status codes"),
        ("http://codec/#ready=600", "ready is a list of final HTTP status codes"),
        ("http://u:p@codec/", "a user or password does not belong in it"),
        ("ftp://user:secret@codec/", "'…@codec/' is no target"),
        ("tcp://[fd00::1::2]:80", "is no IPv6 address"),
        ("tcp://[::ffff:10.0.0.256]:80", "is no IPv6 address"),
        ("tcp://[]:80", "is no IPv6 address"),
        ("tcp://[fe80::1%25eth0]:80", "a zone"),
        ("icmp://0x7f.1", "is no IPv4 address"),
        ("icmp://0177.0.0.1", "is no IPv4 address"),
        ("icmp://10.0.0.1.", "is no IPv4 address"),
        ("icmp://10.0.0.0x1", "is no IPv4 address"),
        ("icmp://10.0.0.256", "is no IPv4 address"),
        ("icmp://10.0.0", "is no IPv4 address"),
        ("icmp://10.0.0.1.5", "is no IPv4 address"),
        ("http://codec:80:80/", "goes in brackets"),
        ("http://codec:8o/", "'8o' is not a number from 1 to 65535"),
        ("http://codec:-1/", "'-1' is not a number from 1 to 65535"),
        ("https://codec/a b", "must be percent-encoded"),
        ("https://codec/%zz", "must be percent-encoded"),
        ("https://codec\\evil/", "is no host name"),
        ("tcp://fd00::1:80", "goes in brackets"),
        ("tcp://[fd00::1:80", "brackets"),
        ("tcp://[fd00::1]80", "brackets"),
        ("tcp://[fe80::1%eth0]:80", "a zone"),
        ("tcp://[10.0.0.1]:80", "is no IPv6 address"),
        ("tcp://127.1:80", "is no IPv4 address"),
        ("tcp://0x7f000001:80", "is no IPv4 address"),
        ("tcp://2130706433:80", "is no IPv4 address"),
        ("tcp://010.0.0.1:80", "is no IPv4 address"),
        ("tcp://-codec:80", "is no host name"),
        ("tcp://a..b:80", "is no host name"),
        ("sip:user:secret@codec", "a password does not belong in it"),
        ("sip:a b@codec", "the user part is not a SIP user"),
        ("sip:a%0d%0ab@codec", "control characters"),
        ("sip:codec;transport=sctp", "'transport=sctp' is not understood"),
        ("sip:codec;lr", "'lr' is not understood"),
        ("sip:codec;transport=udp;lr", "is not understood"),
        ("sip://codec", "is no host name"),
        ("tcp://codec:80\r\nX: y", "without control characters"),
        ("https://codec/\x00", "without control characters"),
        ("sip:codec?ready=ok", "ready is a list of final SIP status codes, 200 to 699"),
        ("sip:codec?ready=180", "ready is a list of final SIP status codes"),
        ("sip:codec?ready=200&ready=486", "'ready=486' is not understood"),
        ("sip:codec?Subject=x", "'Subject=x' is not understood; ready may follow"),
        ("https://codec/đ", "must be percent-encoded"),
        ("https://codec/" + "a" * 250, "at most 255 characters; this one has 264"),
    ],
)
def test_anything_else_is_refused_with_what_is_wrong(text, says):
    with pytest.raises(Invalid) as caught:
        parse_target(text)
    assert says in caught.value.message


_SCHEMES = ["icmp", "tcp", "tls", "http", "https", "dns", "stun", "sip", "h323", "sips", "ftp", "ICMP", "Http"]
_HOSTS = [
    "codec", "Codec.Example.", "10.1.2.3", "010.0.0.1", "0x7f.1", "2130706433", "127.1", "[fd00::1]",
    "[::ffff:10.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[fd00::1::2]", "[fe80::1%eth0]", "fd00::1",
    "[fd00::1", "phường.example",
    "xn--phng-rib8295b.example", "xn--.x", "１２７.0.0.1", "", "a..b", "-a", "a_b", "a" * 64,
]  # fmt: skip
_TAILS = [
    "/", "/a?b=c", "//", "/%2e", "/%zz", "/é", "?ready=200,486", "?ready=1", "#ready=401,200", "#ready=", "#",
    "/.?type=ns", "/a?type=MX&expect=10 b.", "/a?expect=10.0.0.1", "?transport=tcp", ";transport=TLS", ";lr",
    "?locate=9%00", "?locate=9", "?codec=1", "?codec=1&locate=2", "&", "?x", "\\", " ", "\t", "\u202e", "%0d%0a",
]  # fmt: skip
_assembled = st.builds(
    lambda scheme, slashes, user, host, port, tails: f"{scheme}:{slashes}{user}{host}{port}{''.join(tails)}",
    st.sampled_from(_SCHEMES),
    st.sampled_from(["//", "//", "", "/"]),
    st.sampled_from(["", "", "", "room@", "u:p@", "a%0ab@", "@"]) | st.text(max_size=5).map("{}@".format),
    st.sampled_from(_HOSTS) | st.text(max_size=12),
    st.sampled_from(["", "", ":80", ":1720", ":0", ":65536", ":", ":+1", ":８0", ":00080"]),
    st.lists(st.sampled_from(_TAILS) | st.text(max_size=6), max_size=3),
)


@settings(max_examples=1500, deadline=None)
@given(
    st.text(max_size=60)
    | st.from_regex(r"(icmp|tcp|tls|https?|dns|stun|sip|h323):(//)?[ -~]{0,50}", fullmatch=True)
    | _assembled
)
def test_no_text_breaks_the_parser_and_the_canonical_form_is_stable(text):
    try:
        target = parse_target(text)
    except Invalid as error:
        assert "u:p@" not in error.message
        return
    assert parse_target(target.text) == target
    assert target.text.isprintable()
    assert " " not in target.text
    assert target.host.isascii()
    assert target.text.startswith(target.uri)
    assert (target.port == 0) == (target.scheme == "icmp")


def test_every_form_has_a_prober_and_every_prober_a_form():
    assert set(FORMS) == set(PROBERS)


@pytest.mark.parametrize(
    "address",
    ["10.0.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "fd12::1", "::ffff:10.0.0.1", "64:ff9b::a00:1"],
)
def test_private_networks_are_allowed_by_default(address):
    AllowedNetworks().check(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "::1",
        "169.254.169.254",
        "fe80::1",
        "8.8.8.8",
        "2001:4860::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::",
        "2002:808:808::1",
        "0.0.0.0",
        "::",
        "224.0.0.1",
        "ff02::1",
    ],
)
def test_everything_else_is_refused(address):
    with pytest.raises(ProbeRefused) as caught:
        AllowedNetworks().check(ipaddress.ip_address(address))
    assert isinstance(caught.value, Forbidden)


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "255.255.255.255", "239.1.1.1", "::ffff:0.0.0.0"])
def test_what_is_no_single_host_is_refused_even_where_everything_is_allowed(address):
    with pytest.raises(ProbeRefused, match="not the address of a single host"):
        AllowedNetworks(AllowedNetworks.EVERYWHERE).check(ipaddress.ip_address(address))


def test_an_ipv6_form_does_not_open_what_ipv4_closes():
    allowed = AllowedNetworks(["::/0", "10.0.0.0/8"])
    allowed.check(ipaddress.ip_address("2001:db8::1"))
    for address in ("::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"):
        with pytest.raises(ProbeRefused):
            allowed.check(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    ("network", "says"),
    [
        ("10.0.0.1/8", "has host bits set"),
        ("office", "is no network"),
        ("10.0.0.0/40", "is no network"),
        ("64:ff9b::/96", "name the IPv4 network instead"),
        ("::ffff:10.0.0.0/104", "name the IPv4 network instead"),
        ("2002::/16", "name the IPv4 network instead"),
    ],
)
def test_a_network_that_cannot_be_read_is_named(network, says):
    with pytest.raises(Invalid) as caught:
        AllowedNetworks([network])
    assert says in caught.value.message


def test_options_are_ours_and_not_part_of_what_the_peer_is_asked():
    target = parse_target("sip:room@codec;transport=tls?ready=200,486")
    assert target.uri == "sip:room@codec;transport=tls"
    assert parse_target("http://codec/a?ready=1#ready=200").uri == "http://codec/a?ready=1"
    assert (target.option("ready"), target.option("codec")) == ("200,486", None)


@pytest.mark.parametrize(
    ("text", "srv"),
    [
        ("sip:hanoi.example", True),
        ("sip:room@hanoi.example.;transport=tls?ready=486", True),
        ("sip:hanoi.example:5060", False),  # a port says: this very host (RFC 3263 section 4.2)
        ("sip:codec", False),  # a name of the hosts file or the search list
        ("sip:10.0.0.9", False),
    ],
)
def test_a_sip_domain_without_a_port_is_looked_up(text, srv):
    assert parse_target(text).srv is srv
