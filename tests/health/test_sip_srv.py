"""SRV records: which are taken, in which order, and who is asked for them."""

import pytest

from bridgemgr.health.probers.dns_message import Record
from bridgemgr.health.probers.sip_srv import SrvRecord, in_order, lifetime, read_records, system_nameservers


def test_records_that_name_no_host_are_left_out():
    found = ["1 0 5060 a.example", "1 0 0 b.example", "1 0 5060 .", "1 0 5060 \\032", "1 0 5060 a b", "2 7 5061 c"]
    assert read_records(found) == [SrvRecord(1, 0, 5060, "a.example"), SrvRecord(2, 7, 5061, "c")]


def test_the_lowest_priority_comes_first_whatever_the_weights():
    records = [SrvRecord(20, 100, 1, "c"), SrvRecord(10, 0, 2, "a"), SrvRecord(15, 9, 3, "b")]
    assert [each.host for each in in_order(records, lambda total: total)] == ["a", "b", "c"]


def test_among_equals_the_lot_falls_by_weight():
    """RFC 2782: each is first in proportion to its weight, one of weight 0 hardly ever."""
    records = [SrvRecord(1, 0, 1, "never"), SrvRecord(1, 30, 1, "some"), SrvRecord(1, 70, 1, "most")]
    first = [in_order(records, lambda total, lot=lot: min(lot, total))[0].host for lot in range(101)]
    assert {host: first.count(host) for host in first} == {"never": 1, "some": 30, "most": 70}
    for lot in range(101):
        ordered = in_order(records, lambda total, lot=lot: min(lot, total))
        assert sorted(ordered) == sorted(records)


def test_nameservers_are_read_from_resolv_conf(tmp_path):
    path = tmp_path / "resolv.conf"
    path.write_text(
        "# nameserver 9.9.9.9\nsearch example\nnameserver 10.0.0.53\nnameserver\nnameserver dns.example\n"
        "nameserver fd00::53\nnameserver 10.0.0.54\nnameserver 10.0.0.55\n"
    )
    found = system_nameservers(path)
    assert [address.host for address in found] == ["10.0.0.53", "fd00::53", "10.0.0.54"]  # resolvers ask three at most
    assert {address.port for address in found} == {53}
    assert system_nameservers(tmp_path / "missing") == []


@pytest.mark.parametrize(("ttls", "seconds"), [([300, 90], 90), ([0], 10), ([86_400], 3600), ([], 10)])
def test_an_answer_is_kept_for_as_long_as_it_says_within_bounds(ttls, seconds):
    assert lifetime([Record("a.example", 33, "1 0 5060 b.example", ttl) for ttl in ttls]) == seconds
