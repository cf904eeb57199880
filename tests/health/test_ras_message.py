"""RAS messages against another encoder and another decoder."""

import subprocess

import pytest

from bridgemgr.health.probers.ras_message import Answer, gatekeeper_request, location_request, read_answer
from tests.health.ras import SAID, said
from tests.tools import need

LOCAL = ("10.1.2.3", 40000)

# As another program's H.225.0 (pycrate) encodes them; requestSeqNum is 0x1234, which PER writes less one: 12 33.
GRQ = "00001233 060008914a0004 000a0102039c40 0200"
GRQ_IPV6 = "00001233 060008914a0004 3000 0102030405060708090a0b0c0d0e0f 9c40 0200"
LRQ_NUMBER = "480012330102803c3304000a0102039c40"  # 0900#1
LRQ_NAME = "48001233014004 0048004e002e00510031 000a0102039c40"  # HN.Q1


@pytest.mark.parametrize(
    ("message", "bytes_of_another_encoder"),
    [
        (gatekeeper_request(0x1234, LOCAL), GRQ),
        (gatekeeper_request(0x1234, ("1:203:405:607:809:a0b:c0d:e0f", 40000)), GRQ_IPV6),
        (location_request(0x1234, "0900#1", LOCAL), LRQ_NUMBER),
        (location_request(0x1234, "HN.Q1", LOCAL), LRQ_NAME),
    ],
)
def test_a_request_is_byte_for_byte_what_another_encoder_makes(message, bytes_of_another_encoder):
    assert message == bytes.fromhex(bytes_of_another_encoder)


def test_an_odd_number_of_digits_leaves_half_an_octet_to_the_address():
    odd, even = location_request(7, "0900123", LOCAL), location_request(7, "09001234", LOCAL)
    assert (len(odd), len(even)) == (18, 18)
    assert dissected(odd)["h225.dialledDigits"] == "0900123"
    assert dissected(even)["h225.dialledDigits"] == "09001234"


def dissected(message, *more):
    """The fields that tshark finds in a RAS message; it fails the test where the message is malformed."""
    need("tshark", "text2pcap")
    names = ("h225.RasMessage", "h225.requestSeqNum", "h225.dialledDigits", "h225.h323_ID", "_ws.malformed", *more)
    shown = subprocess.run(
        ["text2pcap", "-q", "-u", "40000,1719", "-", "-"],
        input=f"0000 {message.hex(' ')}\n".encode(),
        check=True,
        capture_output=True,
    )
    fields = [word for name in names for word in ("-e", name)]
    found = subprocess.run(
        ["tshark", "-r", "-", "-T", "fields", *fields], input=shown.stdout, check=True, capture_output=True
    )
    values = dict(zip(names, found.stdout.decode().rstrip("\n").split("\t"), strict=True))
    assert values["_ws.malformed"] == ""
    return values


@pytest.mark.parametrize(
    ("message", "place"),
    [
        (gatekeeper_request(0x1234, LOCAL), "0"),
        (gatekeeper_request(0x1234, ("fd00::1", 40000)), "0"),
        (location_request(0x1234, "0900#1", LOCAL), "18"),
        (location_request(0x1234, "Phường 5", LOCAL), "18"),
        (bytes.fromhex(SAID["GCF"]), "1"),
        (bytes.fromhex(SAID["GRJ"]), "2"),
        (bytes.fromhex(SAID["LCF"]), "19"),
        (bytes.fromhex(SAID["LRJ"]), "20"),
        (bytes.fromhex(SAID["XRS"]), "24"),
        (bytes.fromhex(SAID["RIP"]), "25"),
    ],
)
def test_tshark_reads_every_message_that_is_sent_or_answered_here(message, place):
    found = dissected(message)
    assert (found["h225.RasMessage"], found["h225.requestSeqNum"]) == (place, str(0x1234))


@pytest.mark.parametrize("number", [1, 2, 255, 256, 257, 0xFFFF])
def test_every_number_goes_out_and_comes_back(number):
    request = gatekeeper_request(number, LOCAL)
    assert read_answer(said("GCF", request)) == Answer("GCF", number)


def test_a_name_beyond_ascii_is_asked_for_as_it_is_written():
    assert dissected(location_request(9, "Phường 5", LOCAL))["h225.h323_ID"] == "Phường 5"


@pytest.mark.parametrize(
    "message",
    [
        "",
        "04",
        "048012",
        "0480ffff",  # no number: 65,536
        "80",
        "8005",
        "8105001233",
        "ff" * 400,
        SAID["RRJ"],
        GRQ,
    ],
)
def test_what_is_no_answer_is_told_as_such(message):
    assert read_answer(bytes.fromhex(message)) is None


@pytest.mark.parametrize("cut", range(4, len(bytes.fromhex(SAID["GRJ"]))))
def test_a_rejection_that_is_cut_is_still_a_rejection(cut):
    assert read_answer(bytes.fromhex(SAID["GRJ"])[:cut]) == Answer("GRJ", 0x1234)
