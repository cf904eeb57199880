"""The queue's file: durable settings, versions, damage, and a clock that is set back."""

import sqlite3
from datetime import timedelta
from random import Random

import pytest

from bridgemgr.agent import account as accounts
from bridgemgr.agent.model import Kept
from bridgemgr.agent.queue import Queue
from bridgemgr.errors import Invalid, NotFound, Unavailable
from tests.agent.centre import event, local_now


@pytest.fixture
def directory(state):
    accounts.make_directory(state)
    return state


def test_what_is_kept_survives_a_loss_of_power(directory):
    with Queue(directory) as queue:
        [[mode]] = queue._read("PRAGMA journal_mode")
        [[synchronous]] = queue._read("PRAGMA synchronous")
        [[version]] = queue._read("PRAGMA user_version")
    assert (mode, synchronous, version) == ("wal", 2, 1)


def test_a_file_of_a_newer_version_is_left_alone(directory):
    with Queue(directory) as queue:
        queue.put(event(1), local_now())
    conn = sqlite3.connect(directory / "agent.sqlite3")
    conn.execute("PRAGMA user_version = 2")
    conn.close()
    with pytest.raises(Invalid, match="newer bridgemgr"):
        Queue(directory)


def test_a_damaged_file_is_said(directory):
    (directory / "agent.sqlite3").write_bytes(b"no database" * 500)
    with pytest.raises(Invalid, match="damaged"):
        Queue(directory)


def test_a_directory_that_cannot_be_written_is_said(tmp_path):
    with pytest.raises(Unavailable, match="Nothing was kept"):
        Queue(tmp_path / "missing")


def test_an_event_that_cannot_be_written_uses_no_number(directory):
    with Queue(directory) as queue:
        first = event(1)
        queue.put(first, local_now())
        with pytest.raises(Unavailable):
            queue.put(first, local_now())  # the same id
        assert queue.put(event(2), local_now()).seq == 2


def test_what_is_kept_back_is_due_later_or_when_the_clock_was_set_back(directory):
    now = local_now()
    with Queue(directory) as queue:
        entry = queue.put(event(1), now)
        assert [each.seq for each in queue.due(now, 10)] == [1]
        queue.settle([(entry, Kept("why"), 100.0)], now)
        assert queue.due(now, 10) == []
        assert queue.next_due(now) == pytest.approx(100, abs=0.01)
        assert [each.attempts for each in queue.due(now + timedelta(seconds=101), 10)] == [1]
        assert len(queue.due(now - timedelta(days=1), 10)) == 1


def test_retry_of_nothing(directory):
    with Queue(directory) as queue:
        assert queue.retry() == 0
        with pytest.raises(NotFound):
            queue.retry([str(Random(1))])


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"server": "x", "wrong": 1}', b"\xff"])
def test_a_damaged_account_is_said(directory, content):
    (directory / "agent.json").write_bytes(content)
    with pytest.raises(Invalid, match="--replace"):
        accounts.load(directory)
