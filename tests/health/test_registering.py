import pytest

from bridgemgr.errors import Invalid
from bridgemgr.health.registering import TargetCheck


def test_an_address_that_may_not_be_probed_is_refused_with_the_setting_that_says_so():
    check = TargetCheck(["10.0.0.0/8"])
    assert check("TCP://10.0.0.1:0080") == "tcp://10.0.0.1:80"
    assert check("tcp://codec.example:80") == "tcp://codec.example:80"  # judged at each probe
    for text in ("tcp://8.8.8.8:53", "icmp://127.0.0.1", "tcp://[::ffff:8.8.8.8]:53", "tcp://[64:ff9b::808:808]:53"):
        with pytest.raises(Invalid, match=r"in none of the networks that may be probed.*probes\.allow"):
            check(text)
    check.configure(["8.8.8.0/24"])
    assert check("tcp://8.8.8.8:53") == "tcp://8.8.8.8:53"
