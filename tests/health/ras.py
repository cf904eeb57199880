"""What gatekeepers say. No free one is packaged for Debian, so in the tests stubs say it.

Each message was encoded by another program's H.225.0 (pycrate), with 0x1234 for requestSeqNum, which PER writes less
one: 12 33. tshark reads each of them in test_ras_message.
"""

SAID = {
    "GCF": "048012330600 08914a000408 0047004b002d0048004e 007f00000106b7",  # of GK-HN
    "GRJ": "088012330600 08914a000408 0047004b002d0048004e 20",
    "LCF": "4c1233007f00000106b7007f00000106b7",
    "LRJ": "50123340",
    "RIP": "80050012 3307cf",
    "XRS": "601233",
    "RRJ": "140012330600 08914a000460",  # a rejected registration, which nobody asked for
}


def said(name, request):
    """What a gatekeeper says to ``request``, under the number of it."""
    return bytes.fromhex(SAID[name]).replace(b"\x12\x33", request[2:4], 1)
