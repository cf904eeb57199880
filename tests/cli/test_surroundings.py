"""The program in bad surroundings: streams that are closed or full, arguments that are no text."""

import base64
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROGRAM = [sys.executable, "-m", "bridgemgr"]


def run(folder: Path, *words: str | bytes, shell: str = 'exec "$@"') -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "BRIDGEMGR_DATA_DIR": str(folder / "data"), "BRIDGEMGR_CONFIG": ""}
    command = ["sh", "-c", shell, "sh", *PROGRAM, *words]
    done = subprocess.run(command, env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    assert "Traceback" not in done.stderr
    assert "a fault of its own" not in done.stderr
    return done


@pytest.mark.parametrize("closed", ["1>&-", "0<&- 1>&-", "0<&- 1>&- 2>&-"])
def test_a_closed_stream_is_not_taken_by_a_socket(tmp_path: Path, closed: str) -> None:
    assert run(tmp_path, "token", "list", shell=f'exec "$@" {closed}').returncode == 0


def test_a_full_disk_is_said(tmp_path: Path) -> None:
    done = run(tmp_path, "check-config", "--example", shell='exec "$@" >/dev/full')
    assert done.returncode == 1
    assert "No space left" in done.stderr


def test_a_reader_that_has_seen_enough_is_no_error_to_tell(tmp_path: Path) -> None:
    done = run(tmp_path, "check-config", "--example", shell='"$@" | head -n 1')
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 1


def test_an_argument_that_is_no_text_is_refused(tmp_path: Path) -> None:
    done = run(tmp_path, "user", "link", b"\xff\xfe")
    assert done.returncode == 2
    assert "not UTF-8" in done.stderr


@pytest.mark.parametrize("name", ["missing", "folder", "/dev/zero"])
def test_check_config_checks_the_file_that_config_names(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    assert run(tmp_path, "--config", str(tmp_path / name), "check-config").returncode == 2


GOOD_KEY = {"kid": "k", "public_key": base64.b64encode(bytes(32)).decode()}
RECEIPT = {
    "event_id": "x",
    "content_hash": "00",
    "received_at": "2026-01-01T00:00:00Z",
    "verdict": "accepted",
    "alg": "Ed25519",
    "kid": "k",
    "group_size": 1,
    "group_index": 0,
    "path": "",
    "signature": base64.b64encode(bytes(64)).decode(),
}


@pytest.mark.parametrize(
    ("receipt", "keys"),
    [
        (RECEIPT, {"items": [GOOD_KEY]}),
        ({**RECEIPT, "kid": {}, "alg": []}, {"items": [GOOD_KEY]}),
        ({"receipt": []}, {"items": [GOOD_KEY]}),
        (RECEIPT, {"items": [{**GOOD_KEY, "public_key": "AAAA"}]}),
        (RECEIPT, {"items": [{**GOOD_KEY, "public_key": "é"}]}),
        (RECEIPT, {"items": [{**GOOD_KEY, "kid": []}]}),
        (RECEIPT, {"items": []}),
        (RECEIPT, {"items": None}),
    ],
)
def test_receipts_and_keys_that_are_none(tmp_path: Path, receipt: Any, keys: Any) -> None:
    (tmp_path / "receipt.json").write_text(json.dumps(receipt))
    (tmp_path / "keys.json").write_text(json.dumps(keys))
    done = run(tmp_path, "receipt", "verify", str(tmp_path / "receipt.json"), "--keys", str(tmp_path / "keys.json"))
    assert done.returncode == 2
    assert done.stdout == ""
