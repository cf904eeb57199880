"""Names of hosts, in Unicode and in their xn-- form: each is read as one host, and it is the one that is meant."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridgemgr.health.hosts import host_and_port


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("phường-5.hanoi.example", "xn--phng-5-4zb6680d.hanoi.example"),
        ("PHƯỜNG.example", "xn--phng-rib8295b.example"),
        ("Phu\u031bo\u031b\u0300ng.example", "xn--phng-rib8295b.example"),  # decomposed, as macOS writes it
        ("xn--phng-rib8295b.example", "xn--phng-rib8295b.example"),
        ("xn--strae-oqa.example", "xn--strae-oqa.example"),
        ("bücher.example.", "xn--bcher-kva.example."),
        ("ｃｏｄｅｃ.example", "codec.example"),
    ],
)
def test_a_name_is_carried_in_the_form_that_resolvers_take(text, host):
    assert host_and_port(text) == (host, None, 0)


@pytest.mark.parametrize("text", ["１２７.0.0.1", "127。0。0。1", "127．0．0．1", "①27.0.0.1"])
def test_an_address_in_disguise_is_judged_as_the_address_that_it_becomes(text):
    """Resolvers fold these digits and stops; taken for a name, the address would be read as something else."""
    host, address, _ = host_and_port(text)
    assert (host, str(address)) == ("127.0.0.1", "127.0.0.1")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("straße.example", "two standards read differently"),  # strasse.example is somebody else
        ("βόλος.example", "two standards read differently"),
        ("a\u200db.example", "two standards read differently"),
        ("codec.example／path", "is no host name"),  # folds to a slash
        ("user＠codec.example", "is no host name"),
        ("codec.example：80", "is no host name"),
        ("℀.example", "is no host name"),  # folds to a/c
        ("xn--\x80.example", "is no host name"),
        ("xn--.example", "is no host name"),
        ("xn--999999999.example", "is no host name"),
        ("xn--codec-.example", "is no host name"),  # ASCII in disguise: codec
        ("đ" * 70, "is no host name"),
        ("１２７.１", "is no IPv4 address"),
        ("٣٢.example:８0", "is not a number from 1 to 65535"),
    ],
)
def test_what_could_be_another_host_is_refused(text, says):
    with pytest.raises(ValueError, match=says):
        host_and_port(text)


@given(st.text(max_size=40))
def test_whatever_is_taken_is_plain_ascii_and_is_read_again_as_itself(text):
    try:
        host, address, port = host_and_port(text)
    except ValueError:
        return
    assert host.isascii()
    written = f"[{host}]" if ":" in host else host
    assert host_and_port(f"{written}:{port}" if port else written) == (host, address, port)
