"""A receipt proves what was issued and nothing else, whatever somebody makes of it."""

import base64
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from bridgemgr.errors import BridgemgrError, Conflict, Invalid, Unavailable
from bridgemgr.receipts import (
    Group,
    Signer,
    add_key,
    key_id,
    published_keys,
    read_keys,
    render,
    root_from_path,
    statement,
    tree,
    verify,
    write_secret,
)

RECEIVED_AT = "2026-03-01T00:55:21.000213Z"
# The order of the group, RFC 8032 section 5.1: S and S + L fit the same equation, and only S is a signature.
L = 2**252 + 27742317777372353535851937790883648493
NOBODY = 65534


def receipts_of(signer: Signer, size: int, received_at: str = RECEIVED_AT) -> list[dict[str, Any]]:
    """The receipts of one group of accepted events."""
    ids = [f"0f8fad5b-d9cb-469f-a165-{number:012x}" for number in range(size)]
    digests = [hashlib.sha256(each.encode()).digest() for each in ids]
    leaves = [statement(*each, received_at, "accepted") for each in zip(ids, digests, strict=True)]
    root, paths = tree(leaves)
    group = Group(root, size, received_at)
    signature = signer.sign(group)
    return [
        render(ids[index], digests[index], "accepted", group, index, paths[index], signer.kid, signature)
        for index in range(size)
    ]


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    return Signer(tmp_path_factory.mktemp("receipts") / "keys")


@pytest.fixture(scope="module")
def keys(signer: Signer) -> Mapping[str, bytes]:
    return {key.kid: key.public for key in signer.keys}


def leaf_hash(leaf: bytes) -> bytes:
    return hashlib.sha256(b"\0" + leaf).digest()


def slow_root(leaves: Sequence[bytes]) -> bytes:
    """MTH of RFC 9162 section 2.1.1, word for word."""
    if len(leaves) == 1:
        return leaf_hash(leaves[0])
    split = largest_power(len(leaves))
    return hashlib.sha256(b"\1" + slow_root(leaves[:split]) + slow_root(leaves[split:])).digest()


def slow_path(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """PATH of RFC 9162 section 2.1.3.1, word for word."""
    if len(leaves) == 1:
        return []
    split = largest_power(len(leaves))
    if index < split:
        return [*slow_path(index, leaves[:split]), slow_root(leaves[split:])]
    return [*slow_path(index - split, leaves[split:]), slow_root(leaves[:split])]


def largest_power(count: int) -> int:
    """The largest power of two below ``count``."""
    power = 1
    while power * 2 < count:
        power *= 2
    return power


@pytest.mark.parametrize("size", range(1, 71))
def test_trees_and_paths_are_those_of_rfc_9162(size: int) -> None:
    leaves = [str(number).encode() for number in range(size)]
    root, paths = tree(leaves)
    assert root == slow_root(leaves)
    for index, path in enumerate(paths):
        assert path == b"".join(slow_path(index, leaves))
        assert root_from_path(leaves[index], index, size, path) == root


# The tree that the implementations of Certificate Transparency are tested with, by the number of its leaves.
CT_LEAVES = ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
CT_ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)


@pytest.mark.parametrize("size", range(1, 9))
def test_roots_are_those_that_certificate_transparency_is_tested_with(size: int) -> None:
    assert tree([bytes.fromhex(leaf) for leaf in CT_LEAVES[:size]])[0].hex() == CT_ROOTS[size - 1]


def test_the_signature_is_that_of_rfc_8032(tmp_path: Path) -> None:
    # Section 7.1, test 3.
    secret = bytes.fromhex("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7")
    public = bytes.fromhex("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025")
    signature = (
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
        "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
    )
    write_key(tmp_path / "receipt-1.pem", Ed25519PrivateKey.from_private_bytes(secret))
    [key] = read_keys(tmp_path)
    assert key.public == public
    assert key.private.sign(bytes.fromhex("af82")).hex() == signature


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 500])
def test_every_receipt_of_a_group_is_good(signer: Signer, keys: Mapping[str, bytes], size: int) -> None:
    for receipt in receipts_of(signer, size):
        verify(receipt, keys)


def test_the_form_of_a_receipt_stays_what_it_was(tmp_path: Path) -> None:
    # Issued receipts are kept for years: what verifies this one verifies them.
    write_key(tmp_path / "receipt-1.pem", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
    [_, _, third] = receipts_of(Signer(tmp_path), 3)
    assert third == {
        "event_id": "0f8fad5b-d9cb-469f-a165-000000000002",
        "content_hash": hashlib.sha256(b"0f8fad5b-d9cb-469f-a165-000000000002").hexdigest(),
        "received_at": RECEIVED_AT,
        "verdict": "accepted",
        "alg": "Ed25519",
        "kid": "56475aa75463474c",
        "group_size": 3,
        "group_index": 2,
        "path": "5dPc1CjbNHpZlzuDf6MvNeIRdgLO4uE0o56UM9UstO8=",
        "signature": "3ghrhN9VXGUDU9DJt5Xfj9AuIXnyGYnG0wigtsZ/tX0Fx3Z/dEE3sK/Jum3pC3q94jVxzFBNdH90KJCl9kTICg==",
    }


ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.binary().map(lambda content: base64.b64encode(content).decode()),
    st.lists(st.integers()),
    st.dictionaries(st.text(), st.text()),
)


def written(value: Any) -> str:
    return json.dumps(value)


@given(data=st.data())
def test_no_field_can_be_changed(signer: Signer, keys: Mapping[str, bytes], data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 9))
    receipt = receipts_of(signer, size)[data.draw(st.integers(0, size - 1))]
    verify(receipt, keys)
    name = data.draw(st.sampled_from(sorted(receipt)))
    old = receipt[name]
    value = data.draw(st.one_of(ANYTHING, edits(old)).filter(lambda new: written(new) != written(old)))
    with pytest.raises(Invalid):
        verify({**receipt, name: value}, keys)


@st.composite
def edits(draw: st.DrawFn, old: Any) -> Any:
    """A value near ``old``: a character put in, taken out or replaced; a number off by a little, or a text of it."""
    if isinstance(old, int):
        return draw(st.sampled_from([old + 1, old - 1, -old - 1, float(old), str(old), old + 2**32, bool(old), [old]]))
    place = draw(st.integers(0, len(old)))
    put = draw(st.one_of(st.just(""), st.characters(), st.sampled_from("0123456789abcdefABCDEF+/=-:TZ \n")))
    return old[:place] + put + old[place + draw(st.integers(0, 2)) :]


def test_no_field_can_be_left_out(signer: Signer, keys: Mapping[str, bytes]) -> None:
    [receipt] = receipts_of(signer, 1)
    for name in receipt:
        with pytest.raises(Invalid, match="a field is missing or unreadable"):
            verify({key: value for key, value in receipt.items() if key != name}, keys)


@pytest.mark.parametrize("taken", [("path",), ("path", "group_index"), ("content_hash",), ("event_id",)])
def test_parts_cannot_be_swapped_between_events(
    signer: Signer, keys: Mapping[str, bytes], taken: Sequence[str]
) -> None:
    first, second, *_ = receipts_of(signer, 5)
    with pytest.raises(Invalid, match="The signature does not fit"):
        verify(first | {name: second[name] for name in taken}, keys)


@pytest.mark.parametrize("taken", [("signature",), ("path",), ("received_at",), ("received_at", "signature")])
def test_parts_cannot_be_swapped_between_groups(
    signer: Signer, keys: Mapping[str, bytes], taken: Sequence[str]
) -> None:
    first, other = receipts_of(signer, 4)[0], receipts_of(signer, 4, "2026-03-01T00:55:22.000000Z")[0]
    [alone] = receipts_of(signer, 1)
    verify(other, keys)
    with pytest.raises(Invalid):
        verify(first | {name: other[name] for name in taken} | {"content_hash": "0" * 64}, keys)
    with pytest.raises(Invalid):
        verify(first | {name: alone[name] for name in ("path", "group_size", "group_index")}, keys)


def test_a_key_that_was_not_published_proves_nothing(signer: Signer, keys: Mapping[str, bytes], tmp_path: Path) -> None:
    stranger = Signer(tmp_path)
    [forged], [good] = receipts_of(stranger, 1), receipts_of(signer, 1)
    with pytest.raises(Invalid, match="not among the published ones"):
        verify(forged, keys)
    with pytest.raises(Invalid, match="The signature does not fit"):
        verify(forged | {"kid": signer.kid}, keys)
    both = {**keys, stranger.kid: stranger.keys[0].public}
    with pytest.raises(Invalid, match="The signature does not fit"):
        verify(good | {"kid": stranger.kid}, both)


@pytest.mark.parametrize("alg", ["none", "HS256", "ed25519", "Ed25519ph", "", "Ed25519\n"])
def test_no_other_algorithm_is_taken(signer: Signer, keys: Mapping[str, bytes], alg: str) -> None:
    [receipt] = receipts_of(signer, 1)
    with pytest.raises(Invalid):
        verify(receipt | {"alg": alg}, keys)


def test_a_signature_has_one_form(signer: Signer, keys: Mapping[str, bytes]) -> None:
    [receipt] = receipts_of(signer, 1)
    signature = base64.b64decode(receipt["signature"])
    doubled = int.from_bytes(signature[32:], "little") + L
    with pytest.raises(Invalid, match="The signature does not fit"):
        malleable = signature[:32] + doubled.to_bytes(32, "little")
        verify(receipt | {"signature": base64.b64encode(malleable).decode()}, keys)


def test_base64_has_one_form(signer: Signer, keys: Mapping[str, bytes]) -> None:
    receipt = receipts_of(signer, 2)[0]
    for name, unused in (("signature", "=="), ("path", "=")):
        text = receipt[name].removesuffix(unused)
        other = text[:-1] + chr(ord(text[-1]) + 1) + unused
        assert base64.b64decode(other) == base64.b64decode(receipt[name])
        for form in (other, text, receipt[name] + "\n", receipt[name].replace("=", " =", 1)):
            with pytest.raises(Invalid, match="a field is missing or unreadable"):
                verify(receipt | {name: form}, keys)


@pytest.mark.parametrize(
    "change",
    [
        {"received_at": "2026-03-01T00:55:21.000213+00:00"},
        {"received_at": "2026-03-01 00:55:21.000213Z"},
        {"received_at": "2026-03-01T07:55:21.000213+07:00"},
        {"event_id": "0F8FAD5B-D9CB-469F-A165-000000000000"},
        {"event_id": "{0f8fad5b-d9cb-469f-a165-000000000000}"},
        {"content_hash": hashlib.sha256(b"0f8fad5b-d9cb-469f-a165-000000000000").hexdigest().upper()},
        {"group_size": 1.0},
        {"group_size": True},
        {"group_size": "1"},
        {"group_index": False},
        {"group_index": -0.0},
    ],
)
def test_the_same_in_another_form_was_not_issued(
    signer: Signer, keys: Mapping[str, bytes], change: dict[str, Any]
) -> None:
    [receipt] = receipts_of(signer, 1)
    with pytest.raises(Invalid, match="a field is missing or unreadable"):
        verify(receipt | change, keys)


def test_a_path_of_any_length_is_refused_at_once(signer: Signer, keys: Mapping[str, bytes]) -> None:
    receipt = receipts_of(signer, 2)[0]
    path = base64.b64decode(receipt["path"])
    for wrong in (b"", path[:-1], path + path, path * 300_000):
        with pytest.raises(Invalid, match="path is"):
            verify(receipt | {"path": base64.b64encode(wrong).decode()}, keys)


def test_published_keys_are_those_that_their_names_say(signer: Signer, keys: Mapping[str, bytes]) -> None:
    [item] = signer.published()
    assert published_keys({"items": [item], "next": None}) == keys
    later = {"kid": "x", "alg": "ML-DSA-65", "public_key": "AAAA"}
    assert published_keys({"items": [later, item]}) == keys
    for wrong in (
        None,
        [],
        {},
        {"items": []},
        {"items": [later]},
        {"items": [{**item, "kid": "0" * 16}]},
        {"items": [{**item, "public_key": base64.b64encode(bytes(32)).decode()}]},
        {"items": [{**item, "public_key": item["public_key"] + "\n"}]},
        {"items": [item, {"kid": key_id(b""), "alg": "Ed25519", "public_key": ""}]},
        {"items": [item, None]},
    ):
        with pytest.raises(Invalid):
            published_keys(wrong)


def write_key(path: Path, key: Any, encryption: KeySerializationEncryption | None = None) -> None:
    path.touch(mode=0o600)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption()))


def test_the_highest_number_signs(tmp_path: Path) -> None:
    Signer(tmp_path)
    for number in range(2, 12):
        assert add_key(tmp_path).number == number
    signer = Signer(tmp_path)
    assert [key.number for key in signer.keys] == list(range(1, 12))
    assert signer.kid == signer.keys[-1].kid == read_keys(tmp_path)[-1].kid
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


def test_other_names_are_no_keys(tmp_path: Path) -> None:
    kid = Signer(tmp_path).kid
    for name in ("receipt-old.pem", "receipt-02.pem", "receipt-2.pem.bak", "receipt-0.pem", "Receipt-3.pem"):
        (tmp_path / name).write_text("put away")
    assert Signer(tmp_path).kid == kid
    assert add_key(tmp_path).number == 2


def test_of_two_who_make_the_next_key_one_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Signer(tmp_path)
    known = read_keys(tmp_path)
    add_key(tmp_path)
    first = (tmp_path / "receipt-2.pem").read_bytes()
    # The other one had looked before.
    monkeypatch.setattr("bridgemgr.receipts.keys.read_keys", lambda _directory: known)
    with pytest.raises(Conflict, match="number 2 just now"):
        add_key(tmp_path)
    assert (tmp_path / "receipt-2.pem").read_bytes() == first
    assert sorted(path.name for path in tmp_path.iterdir()) == ["receipt-1.pem", "receipt-2.pem"]


def test_a_key_that_others_can_read_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    Signer(tmp_path)
    assert caplog.records == []
    (tmp_path / "receipt-1.pem").chmod(0o640)
    Signer(tmp_path)
    assert "receipt-1.pem, which signs receipts: chmod 600 it" in caplog.text


def test_files_that_hold_no_key_that_can_sign(tmp_path: Path) -> None:
    path = tmp_path / "receipt-1.pem"
    path.write_text("-----BEGIN PRIVATE KEY-----\ncut\n")
    path.chmod(0o600)
    with pytest.raises(Invalid, match=r"receipt-1\.pem holds no private key that can be used"):
        Signer(tmp_path)
    write_key(path, Ed25519PrivateKey.generate(), BestAvailableEncryption(b"password"))
    with pytest.raises(Invalid, match=r"receipt-1\.pem holds no private key that can be used"):
        Signer(tmp_path)
    write_key(path, generate_private_key(65537, 2048))
    with pytest.raises(Invalid, match=r"receipt-1\.pem is not an Ed25519 key"):
        Signer(tmp_path)
    path.unlink()
    path.mkdir()
    with pytest.raises(Unavailable, match=r"receipt-1\.pem cannot be read: Is a directory"):
        Signer(tmp_path)


@contextmanager
def ordinary_user() -> Iterator[Path]:
    """A directory that everybody may enter, while this process is nobody's who may do everything."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "keys").mkdir()
        Signer(folder / "keys")
        before = os.geteuid()
        if before == 0:
            for path in ((folder / "keys"), folder / "keys" / "receipt-1.pem"):
                os.chown(path, NOBODY, NOBODY)
            os.seteuid(NOBODY)
        try:
            yield folder / "keys"
        finally:
            os.seteuid(before)
            (folder / "keys").chmod(0o700)


def test_what_cannot_be_read_or_written_is_said() -> None:
    with ordinary_user() as directory:
        directory.chmod(0o500)
        with pytest.raises(Unavailable, match=r"receipt-2\.pem cannot be written: Permission denied. Run this as"):
            add_key(directory)
        directory.chmod(0o700)
        (directory / "receipt-1.pem").chmod(0)
        with pytest.raises(Unavailable, match=r"receipt-1\.pem cannot be read: Permission denied"):
            Signer(directory)
        directory.chmod(0)
        with pytest.raises(Unavailable, match=r"keys cannot be read: Permission denied"):
            Signer(directory)


def test_a_file_in_place_of_the_directory_is_said(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("")
    for wrong in (tmp_path / "keys", tmp_path / "keys" / "below"):
        with pytest.raises(BridgemgrError, match="cannot be made"):
            Signer(wrong)


def test_a_secret_is_written_once_and_whole(tmp_path: Path) -> None:
    assert write_secret(tmp_path / "a.key", b"first")
    assert not write_secret(tmp_path / "a.key", b"second")
    assert (tmp_path / "a.key").read_bytes() == b"first"
    assert [path.name for path in tmp_path.iterdir()] == ["a.key"]
    with pytest.raises(Unavailable, match="cannot be written"):
        write_secret(Path("/dev/full/a.key"), b"x")
