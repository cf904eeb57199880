"""A server that cannot be believed: nothing leaves the queue without proof, and everything does with it."""

import base64
from collections.abc import Callable
from typing import Any

import pytest

from bridgemgr.agent.queue import Queue
from bridgemgr.receipts import Group, Signer, add_key, render, statement, tree
from tests.agent.centre import drained, put, running, shown, until
from tests.agent.liar import lying

Item = dict[str, Any]


def _each(change: Callable[[Item], None]) -> Callable[[Any], Any]:
    def lie(document: Any) -> Any:
        for item in document["items"]:
            change(item)
        return document

    return lie


def _signature(item: Item) -> None:
    signature = bytearray(base64.b64decode(item["receipt"]["signature"]))
    signature[5] ^= 1
    item["receipt"]["signature"] = base64.b64encode(signature).decode()


def _hash(item: Item) -> None:
    item["receipt"]["content_hash"] = "0" * 64


def _verdict(item: Item) -> None:
    item["receipt"]["verdict"] = "held"


def _nothing(item: Item) -> None:
    item["receipt"] = None


def _rubbish(item: Item) -> None:
    item["receipt"] = {"event_id": [], "path": 5}


def _swapped(document: Any) -> Any:
    first, second, *_ = document["items"]
    first["receipt"], second["receipt"] = second["receipt"], first["receipt"]
    return document


LIES = [
    (_each(_signature), "The signature does not fit"),
    (_each(_hash), "The signature does not fit"),
    (_each(_verdict), "The signature does not fit"),
    (_each(_nothing), "gave no receipt"),
    (_each(_rubbish), "not a receipt"),
    (_swapped, "The receipt is for another event."),
]


@pytest.mark.parametrize(("lie", "alarm"), LIES)
async def test_a_receipt_that_does_not_fit_is_an_alarm(house, state, lie, alarm):
    async with house.served() as url, lying(url) as liar:
        await house.enrol(state, liar.url)
        ids = put(state, 1, 2)
        liar.answered = lie
        async with running(state):
            await until(lambda: shown(state)["alarms"] == 2)
            found = shown(state)
            assert (found["waiting"], found["receipts"]) == (2, {})
            assert all(alarm in kept["trouble"] for kept in found["kept"])
            await until(lambda: all(kept["attempts"] > 1 for kept in shown(state)["kept"]))  # it is sent again
            liar.answered = None
            await drained(state)
        assert shown(state)["receipts"] == {"accepted": 2}
        assert shown(state)["alarms"] == 0
        assert await house.stored() == ids


async def test_a_server_that_stores_other_content_is_found_out(house, state):
    """Its receipt is truly signed and for this event, but not for what was sent."""

    def inflate(document: Any) -> Any:
        for item in document["items"]:
            item["headcount"] += 100
        return document

    async with house.served() as url, lying(url) as liar:
        await house.enrol(state, liar.url)
        [event_id] = put(state, 41)
        liar.asked = inflate
        async with running(state):
            await until(lambda: shown(state)["alarms"])
            [kept] = shown(state)["kept"]
            assert kept["trouble"] == "The receipt is for other content than was sent."
            liar.asked = None
            await drained(state)
        # What is true now is that the id is taken; a person sees it, and what was meant is still here.
        [rejected] = shown(state)["rejected"]
        assert (rejected["event_id"], rejected["status"]) == (event_id, 409)


async def test_a_receipt_signed_with_a_stranger_s_key_is_no_proof(house, state, tmp_path):
    stranger = Signer(tmp_path / "stranger")

    def forge(item: Item) -> None:
        given = item["receipt"]
        leaf = statement(
            given["event_id"], bytes.fromhex(given["content_hash"]), given["received_at"], given["verdict"]
        )
        root, [path] = tree([leaf])
        group = Group(root, 1, given["received_at"])
        kid, signature = stranger.kid, stranger.sign(group)
        digest = bytes.fromhex(given["content_hash"])
        item["receipt"] = render(given["event_id"], digest, given["verdict"], group, 0, path, kid, signature)

    async with house.served() as url, lying(url) as liar:
        await house.enrol(state, liar.url)
        put(state, 1)
        liar.answered = _each(forge)
        async with running(state):
            await until(lambda: shown(state)["alarms"] == 1)
            assert "not among the published ones" in shown(state)["kept"][0]["trouble"]
    with Queue(state) as queue:
        pinned = queue.keys()
    assert list(pinned) == [house.app.services.check_ins._signer.kid]


async def test_new_keys_of_the_enrolled_server_are_taken_over(house, state, tmp_path):
    async with house.served() as url:
        await house.enrol(state, url)
        with Queue(state) as queue:
            [first] = queue.keys()
        new = add_key(tmp_path / "keys")
        await house.app.services.keys.reload()
        put(state, 1)
        async with running(state):
            await drained(state)
        with Queue(state) as queue:
            assert queue.keys().keys() == {first, new.kid}
            [row] = queue.rows("SELECT receipt FROM receipts")
        assert new.kid.encode() in row["receipt"]


@pytest.mark.parametrize(
    "answer",
    [
        (200, {}, b"<html>Sign in to the hotel's network</html>"),
        (200, {}, b'{"items": []}'),
        (200, {}, b'{"items": [1]}'),
        (200, {}, b'{"items": "none"}'),
        (302, {"Location": "http://127.0.0.1:9/"}, b""),
        (404, {}, b"not here"),
        (403, {}, b"no"),
        (502, {}, b"bad gateway"),
    ],
)
async def test_what_is_no_answer_loses_nothing(house, state, answer):
    async with house.served() as url, lying(url) as liar:
        await house.enrol(state, liar.url)
        ids = put(state, 1)
        liar.instead = lambda _document: answer
        async with running(state):
            await until(lambda: shown(state)["trouble"])
            assert shown(state)["waiting"] == 1
            assert str(answer[0]) in shown(state)["trouble"]["said"]
            liar.instead = None
            await drained(state)
        assert await house.stored() == ids


@pytest.mark.parametrize(("status", "left"), [(422, 0), (500, 1)])
async def test_one_event_that_the_server_chokes_on_does_not_hold_up_the_others(house, state, status, left):
    def choke(document: Any) -> Any:
        if any(item.get("headcount") == 7 for item in document["items"]):
            return status, {}, b'{"detail": "Headcount seven is unlucky."}'
        return None

    async with house.served() as url, lying(url) as liar:
        await house.enrol(state, liar.url)
        ids = put(state, *range(20))
        liar.instead = choke
        async with running(state):
            await until(lambda: len(shown(state)["rejected"]) == 1 - left and shown(state)["waiting"] == left, 40)
        found = shown(state)
        [odd] = found["kept"] if left else found["rejected"]
        assert odd["event_id"] == ids[7]
        assert "unlucky" in str(odd)
        assert await house.stored() == [*ids[:7], *ids[8:]]


@pytest.mark.parametrize("status", [429, 503])
async def test_a_pause_that_the_server_asks_for_is_kept(house, state, status):
    async with house.served() as url, lying(url) as liar:
        await house.enrol(state, liar.url)
        put(state, 1)
        liar.instead = lambda _document: (status, {"Retry-After": "3600"}, b"{}")
        async with running(state):
            await until(lambda: liar.batches == 1)
            await until(lambda: shown(state)["trouble"])
            put(state, 2)  # wakes it, and so does each heartbeat
            before = shown(state)["last_contact_at"]
            await until(lambda: shown(state)["last_contact_at"] > before)
            assert liar.batches == 1
        assert shown(state)["waiting"] == 2
