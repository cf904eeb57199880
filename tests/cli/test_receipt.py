"""``receipt verify``: in every document in which people keep receipts, what is proved and what is not."""

import io
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from bridgemgr.attendance.model import CheckInIn
from bridgemgr.cli.main import _run
from bridgemgr.receipts import Group, Signer, add_key, content_hash, read_keys, render, statement, tree

RECEIVED_AT = "2027-03-12T00:48:13.000213Z"


def event(number: int, **fields: Any) -> dict[str, Any]:
    """An event as a device sends it."""
    return {
        "event_id": f"0f8fad5b-d9cb-469f-a165-{number:012x}",
        "conference": "GB-0312",
        "kind": "headcount",
        "headcount": 41,
        "observed_at": "2027-03-12T07:48:12+07:00",
        **fields,
    }


def issue(signer: Signer, events: list[dict[str, Any]], site: str = "XA-01") -> list[dict[str, Any]]:
    """What the service answers to these events of one site."""
    items = [CheckInIn.model_validate_json(json.dumps(each)) for each in events]
    digests = [content_hash(item.content(site)) for item in items]
    leaves = [
        statement(str(item.event_id), digest, RECEIVED_AT, "accepted")
        for item, digest in zip(items, digests, strict=True)
    ]
    root, paths = tree(leaves)
    group = Group(root, len(items), RECEIVED_AT)
    signature = signer.sign(group)
    return [
        render(str(item.event_id), digests[index], "accepted", group, index, paths[index], signer.kid, signature)
        for index, item in enumerate(items)
    ]


def answer(receipt: dict[str, Any]) -> dict[str, Any]:
    return {"event_id": receipt["event_id"], "status": 201, "verdict": "accepted", "note": None, "receipt": receipt}


def shown(sent: dict[str, Any], receipt: dict[str, Any]) -> dict[str, Any]:
    """What GET /api/v1/check-ins/{id} answers."""
    empty = dict.fromkeys(("delegate", "mode", "excused", "reason", "note", "seq", "corrects", "decision"))
    return {
        **empty,
        **sent,
        "site": "XA-01",
        "observed_at": "2027-03-12T00:48:12+00:00",
        "received_at": "2027-03-12T00:48:13.000213+00:00",
        "source": "agent",
        "verdict": "accepted",
        "resends": 0,
        "receipt": receipt,
    }


@dataclass
class Desk:
    """Where an auditor sits: files, and the command."""

    folder: Path
    signer: Signer
    capsys: pytest.CaptureFixture[str]

    def file(self, name: str, content: Any) -> str:
        path = self.folder / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content if isinstance(content, str) else json.dumps(content))
        return str(path)

    def verify(self, content: Any, *options: str, status: int = 0) -> str:
        """What is printed, both streams, about a file with this content."""
        published = {"items": self.signer.published(), "next": None}
        keys = self.file("keys.json", published)
        found = _run(["receipt", "verify", self.file("file.json", content), "--keys", keys, *options])
        printed = self.capsys.readouterr()
        assert "Traceback" not in printed.err
        assert "a fault of its own" not in printed.err
        assert found == status, printed
        return printed.out + printed.err


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Desk:
    return Desk(tmp_path, Signer(tmp_path / "keys"), capsys)


DOCUMENTS: dict[str, Callable[[dict[str, Any], dict[str, Any]], Any]] = {
    "a receipt": lambda _sent, receipt: receipt,
    "an answer": lambda _sent, receipt: answer(receipt),
    "a batch's answer": lambda _sent, receipt: {"items": [answer(receipt)]},
    "a list of receipts": lambda _sent, receipt: [receipt],
    "receipts of a page": lambda _sent, receipt: {"receipts": [answer(receipt)]},
    "JSON lines": lambda _sent, receipt: f"{json.dumps(answer(receipt))}\n\n{json.dumps(receipt)}\r\n",
    "lines of batches": lambda _sent, receipt: f"{json.dumps({'items': [answer(receipt)]})}\n" * 2,
    "a byte order mark": lambda _sent, receipt: b"\xef\xbb\xbf" + json.dumps(receipt).encode(),
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_receipts_are_found_where_people_keep_them(desk: Desk, name: str) -> None:
    sent = event(1)
    [receipt] = issue(desk.signer, [sent])
    printed = desk.verify(DOCUMENTS[name](sent, receipt))
    assert f"Good: {receipt['event_id']} was accepted at {RECEIVED_AT} (key {desk.signer.kid})" in printed
    assert "Give the event with --event" in printed
    assert "Bad" not in printed


def test_standard_input_is_read(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    [receipt] = issue(desk.signer, [event(1)])
    keys = desk.file("keys.json", {"items": desk.signer.published()})
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(json.dumps(receipt).encode())))
    assert _run(["receipt", "verify", "-", "--keys", keys]) == 0
    assert "Good" in desk.capsys.readouterr().out


def test_the_content_is_proved_from_what_was_sent(desk: Desk) -> None:
    sent = event(1, note="hai người\nđến muộn", seq=7)
    [receipt] = issue(desk.signer, [sent])
    printed = desk.verify(receipt, "--event", desk.file("event.json", sent), "--site", "xa-01")
    assert "its content: conference GB-0312, site xa-01, kind headcount, observed_at 2027-03-12T00:48:12Z" in printed
    assert 'headcount 41, note "hai người\\nđến muộn", seq 7.' in printed
    assert "--event" not in printed


def test_a_check_in_as_it_is_shown_proves_its_own_content(desk: Desk) -> None:
    sent = event(1)
    [receipt] = issue(desk.signer, [sent])
    assert "headcount 41" in desk.verify(shown(sent, receipt))


@pytest.mark.parametrize(
    "change",
    [
        {"headcount": 42},
        {"headcount": 4.1e1},
        {"conference": "GB-0313"},
        {"conference": "gb-0312"},
        {"site": "XA-02"},
        {"observed_at": "2027-03-12T00:48:12.000001+00:00"},
        {"observed_at": "yesterday"},
        {"note": "added later"},
        {"seq": 1},
        {"kind": "correct"},
        {"event_id": "0f8fad5b-d9cb-469f-a165-00000000ffff"},
    ],
)
def test_other_content_is_not_what_was_receipted(desk: Desk, change: dict[str, Any]) -> None:
    sent = event(1)
    [receipt] = issue(desk.signer, [sent])
    assert "Bad: " in desk.verify(shown(sent, receipt) | change, status=1)
    altered = desk.file("event.json", {**sent, "site": "XA-01", **change})
    assert "Bad: " in desk.verify(receipt, "--event", altered, status=1)


def test_what_a_line_test_found_is_part_of_its_content(desk: Desk) -> None:
    sent = {name: value for name, value in event(1, kind="test", picture=True, sound=False).items()}
    del sent["headcount"]
    [receipt] = issue(desk.signer, [sent])
    unsaid = {"headcount": None, "backup": None}
    assert "picture True, sound False" in desk.verify(shown(sent, receipt) | unsaid)
    for change in ({"sound": True}, {"sound": None}, {"backup": True}):
        assert "Bad: " in desk.verify(shown(sent, receipt) | unsaid | change, status=1)


def test_what_is_no_part_of_the_content_makes_no_difference(desk: Desk) -> None:
    sent = event(1)
    [receipt] = issue(desk.signer, [sent])
    same = shown(sent, receipt) | {
        "site": "xa-01",
        "event_id": sent["event_id"].upper(),
        "observed_at": "2027-03-12T00:48:12Z",
        "resends": 3,
        "verdict": "refused",
        "received_at": "2020-01-01T00:00:00+00:00",
    }
    printed = desk.verify(same)
    assert f"was accepted at {RECEIVED_AT}" in printed
    assert "2020" not in printed


def test_an_event_that_does_not_name_its_site_needs_it(desk: Desk) -> None:
    sent = event(1)
    [receipt] = issue(desk.signer, [sent])
    path = desk.file("event.json", sent)
    assert "with --site CODE" in desk.verify(receipt, "--event", path, status=1)
    assert "or another site" in desk.verify(receipt, "--event", path, "--site", "xa-02", status=1)


def test_many_receipts_are_compared_with_many_events(desk: Desk) -> None:
    sent = [event(number, headcount=number, site="XA-01") for number in range(1, 6)]
    answers = [answer(receipt) for receipt in issue(desk.signer, sent)]
    path = desk.file("events.jsonl", "\n".join(map(json.dumps, reversed(sent))))
    printed = desk.verify({"items": answers}, "--event", path)
    assert [f"items[{index}]: Good: " in line for index, line in enumerate(printed.splitlines())] == [True] * 5
    assert [line.endswith(f", headcount {number}.") for number, line in enumerate(printed.splitlines(), 1)] == [
        True
    ] * 5
    sent[2]["headcount"] = 300
    del sent[4]
    path = desk.file("events.json", {"items": sent})
    lines = desk.verify({"items": answers}, "--event", path, status=1).splitlines()
    assert [line.split(": ")[1] for line in lines[:5]] == ["Good", "Good", "Bad", "Good", "Bad"]
    assert "other content" in lines[2]
    assert "No event with the id" in lines[4]
    assert lines[5] == "2 of 5 are not good."


def test_each_line_is_judged_by_itself(desk: Desk) -> None:
    first, second, third = issue(desk.signer, [event(number) for number in (1, 2, 3)])
    lines = [
        json.dumps(answer(first)),
        "{",
        json.dumps(answer(second) | {"event_id": first["event_id"]}),
        json.dumps({"event_id": third["event_id"], "status": 422, "error": {"code": "invalid"}}),
        json.dumps(third).replace('"alg"', '"verdict": "refused", "alg"'),
        json.dumps(third | {"group_index": 2.0}),
        json.dumps(third).replace('"group_index": 2', '"group_index": 2e0'),
        json.dumps(first).replace('"group_index": 0', '"group_index": -0'),
        json.dumps(third | {"verdict": "refused"}),
        json.dumps(third),
    ]
    printed = desk.verify("\n".join(lines), status=1).splitlines()
    found = [line.split(": ")[:2] for line in printed[: len(lines)]]
    verdicts = ["Good", *["Bad"] * 8, "Good"]
    assert found == [[f"line {number}", verdict] for number, verdict in enumerate(verdicts, 1)]
    told = ("not JSON", "another event", "no receipt here", "field twice", "unreadable", "unreadable", "no program")
    for words, line in zip([*told, "signature does not fit"], printed[1:9], strict=True):
        assert words in line
    assert "8 of 10 are not good." in printed


def test_the_later_decision_is_verified_too(desk: Desk) -> None:
    held, decided = issue(desk.signer, [event(1), event(2)])
    document = answer(held) | {"decision": {"event_id": decided["event_id"], "verdict": "accepted", "receipt": decided}}
    assert desk.verify(document).count("Good") == 2
    # Nothing but its content tells an admission from a dismissal: who was turned away must not read "accepted".
    assert "; whether it admits or dismisses is not proved." in desk.verify(document)
    document["decision"]["receipt"] = decided | {"verdict": "held"}
    assert "decision: Bad" in desk.verify(document, status=1)


def test_a_decision_as_it_is_shown_proves_its_content(desk: Desk) -> None:
    item = CheckInIn.model_construct(
        **{
            **CheckInIn.model_validate_json(json.dumps(event(1))).__dict__,
            "kind": "admit",
            "headcount": None,
            "corrects": UUID(event(2)["event_id"]),
            "reason": "came unannounced",
        }
    )
    digest = content_hash(item.content("XA-01"))
    root, [path] = tree([statement(str(item.event_id), digest, RECEIVED_AT, "accepted")])
    group = Group(root, 1, RECEIVED_AT)
    signature = desk.signer.sign(group)
    receipt = render(str(item.event_id), digest, "accepted", group, 0, path, desk.signer.kid, signature)
    document = shown(event(1), receipt) | {
        "kind": "admit",
        "headcount": None,
        "corrects": event(2)["event_id"],
        "reason": "came unannounced",
    }
    assert 'kind admit, observed_at 2027-03-12T00:48:12Z, reason "came unannounced"' in desk.verify(document)


def test_json_for_programs(desk: Desk) -> None:
    sent = event(1)
    [receipt] = issue(desk.signer, [sent])
    good, bad = json.loads(desk.verify([shown(sent, receipt), receipt | {"verdict": "held"}], "--json", status=1))
    assert (good["good"], good["where"], good["problem"]) == (True, "[0]", None)
    assert (good["verdict"], good["content"]["headcount"]) == ("accepted", 41)
    assert (bad["good"], bad["verdict"], bad["event_id"]) == (False, None, None)
    assert "signature" in bad["problem"]


def test_receipts_of_every_key_verify(desk: Desk) -> None:
    before = issue(desk.signer, [event(1)])
    add_key(desk.signer.directory)
    desk.signer.take(read_keys(desk.signer.directory))
    after = issue(desk.signer, [event(2)])
    assert before[0]["kid"] != after[0]["kid"]
    assert desk.verify([*before, *after]).count("Good") == 2
    swapped = [before[0] | {"kid": after[0]["kid"]}, after[0] | {"kid": "0" * 16}]
    printed = desk.verify(swapped, status=1)
    assert "signature does not fit" in printed
    assert f"key {'0' * 16} (Ed25519), which is not among the published" in printed


UNUSABLE = {
    "nothing": b"",
    "no JSON": b"not a receipt",
    "a cut file": b'{"event_id": "0f8f',
    "a table": b"a,b\n1,2\n",
    "no UTF-8": b"\xff\xfe{}",
    "a number": b"7",
    "an empty list": b"[]",
    "no receipt": b'{"receipt": null}',
    "another list": b'{"items": [{"code": "vp"}]}',
    "nested too deeply": b"[" * 100_000,
    "nested deeply": b"[" * 300 + b"]" * 300,
    "a long number": b"9" * 100_000,
    "not a number": b'{"receipt": NaN}',
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_files_without_a_receipt_are_bad_input(desk: Desk, name: str) -> None:
    assert "bridgemgr: " in desk.verify(UNUSABLE[name], status=2)


@pytest.mark.parametrize("wrong", [{"signature": []}, {"receipt": {}}, {"receipt": []}, {"signature": "\ud800"}])
def test_receipts_that_are_none(desk: Desk, wrong: Any) -> None:
    assert "Bad: " in desk.verify(wrong, status=1)


def test_ten_megabytes_are_judged(desk: Desk) -> None:
    [receipt] = issue(desk.signer, [event(1)])
    many = [receipt] * (10_000_000 // len(json.dumps(receipt)))
    many[-1] = receipt | {"path": "A" * 1_000_000}
    printed = desk.verify(many, status=1)
    assert printed.count("Good") == len(many) - 1
    assert f"1 of {len(many)} are not good." in printed
    for name in receipt:
        assert "Bad: " in desk.verify(receipt | {name: "7" * 10_000_000}, status=1)


def test_a_file_without_end_is_refused(desk: Desk) -> None:
    keys = desk.file("keys.json", {"items": desk.signer.published()})
    assert _run(["receipt", "verify", "/dev/zero", "--keys", keys]) == 2
    assert "over the limit of 67,108,864 bytes" in desk.capsys.readouterr().err


def test_files_that_are_not_there_are_named(desk: Desk) -> None:
    keys = desk.file("keys.json", {"items": desk.signer.published()})
    [receipt] = issue(desk.signer, [event(1)])
    good = desk.file("receipt.json", receipt)
    for words in (
        ["/missing", "--keys", keys],
        [good, "--keys", "/missing"],
        [good, "--keys", keys, "--event", "/missing"],
    ):
        assert _run(["receipt", "verify", *words]) == 1
        assert "/missing: No such file or directory." in desk.capsys.readouterr().err


@pytest.mark.parametrize("content", ["[]", "{}", '{"items": []}', '{"items": [{"event_id": "x"}]}'])
def test_a_file_without_events_is_bad_input(desk: Desk, content: str) -> None:
    [receipt] = issue(desk.signer, [event(1)])
    assert "holds no event" in desk.verify(receipt, "--event", desk.file("event.json", content), status=2)
