"""The private authority: what it signs, for whom, and what is never overwritten."""

import socket
import ssl
import subprocess
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from bridgemgr.cli.certificate import certificate as command
from bridgemgr.errors import Conflict, Invalid, Unavailable
from bridgemgr.settings import SiteSettings, load_settings
from bridgemgr.web import tls
from bridgemgr.web.authority import Authority
from bridgemgr.web.certificates import make
from tests.tools import need

NOW = datetime.now(UTC)


def accepted(folder: Path, host: str) -> bool:
    """Whether a client that trusts the authority alone takes the server for ``host``."""
    server = tls.load(SiteSettings(certificate=folder / "server.pem", key=folder / "server.key")).context
    client = ssl.create_default_context(cafile=folder / "ca.pem")
    ours, theirs = socket.socketpair()

    def serve() -> None:
        try:
            server.wrap_socket(theirs, server_side=True).close()
        except ssl.SSLError:
            theirs.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        client.wrap_socket(ours, server_hostname=host).close()
    except ssl.SSLCertVerificationError:
        return False
    finally:
        ours.close()
        thread.join()
    return True


def test_a_client_that_trusts_the_authority_takes_the_server(tmp_path: Path) -> None:
    made = make(tmp_path / "new" / "folder", ["bridges.example.org", "10.0.0.5", "2001:db8::5"], NOW)
    folder = made.files.authority.parent
    assert [accepted(folder, host) for host in ("bridges.example.org", "10.0.0.5", "2001:db8::5")] == [True] * 3
    assert not accepted(folder, "other.example.org")
    assert made.new_authority
    modes = {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}
    assert modes == {"ca.key": 0o600, "server.key": 0o600, "ca.pem": 0o644, "ca.crt": 0o644, "server.pem": 0o644}


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "bridges.example.org"])
def test_one_name_of_any_kind_is_enough(tmp_path: Path, host: str) -> None:
    make(tmp_path, [host], NOW)
    assert accepted(tmp_path, host)


def test_openssl_finds_nothing_to_fault(tmp_path: Path) -> None:
    need("openssl")
    files = make(tmp_path, ["bridges.example.org"], NOW).files
    words = ["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", files.authority]
    done = subprocess.run([*words, files.certificate], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    words = ["openssl", "x509", "-inform", "DER", "-noout", "-ext", "nameConstraints", "-in", files.phones]
    shown = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert "critical" in shown
    assert "DNS:bridges.example.org" in shown


def test_phones_take_it_for_no_longer_than_they_accept(tmp_path: Path) -> None:
    made = make(tmp_path, ["localhost"], NOW)
    served = tls.load(SiteSettings(certificate=made.files.certificate, key=made.files.key))
    assert served.not_after - served.not_before + timedelta(seconds=1) == timedelta(days=825)
    assert made.authority_until > NOW + timedelta(days=3650)


def test_renewing_keeps_the_authority_that_devices_trust(tmp_path: Path) -> None:
    first = make(tmp_path, ["example.org"], NOW)
    authority = first.files.authority.read_bytes(), first.files.authority_key.read_bytes()
    before = first.files.certificate.read_bytes()
    second = make(tmp_path, ["bridges.example.org"], NOW + timedelta(days=700))
    assert not second.new_authority
    assert (first.files.authority.read_bytes(), first.files.authority_key.read_bytes()) == authority
    assert first.files.certificate.read_bytes() != before
    assert second.server_until > first.server_until


def test_a_server_certificate_does_not_outlive_its_authority(tmp_path: Path) -> None:
    made = make(tmp_path, ["localhost"], NOW)
    later = make(tmp_path, ["localhost"], NOW + timedelta(days=3600))
    assert later.server_until == made.authority_until
    with pytest.raises(Conflict, match="expired"):
        make(tmp_path, ["localhost"], NOW + timedelta(days=4000))


def test_an_authority_vouches_for_its_names_alone(tmp_path: Path) -> None:
    make(tmp_path, ["bridges.example.org"], NOW)
    before = (tmp_path / "server.pem").read_bytes()
    for name in ("example.org", "bank.example.com", "10.0.0.5", "xbridges.example.org"):
        with pytest.raises(Invalid, match="may not vouch for"):
            make(tmp_path, [name], NOW)
    assert (tmp_path / "server.pem").read_bytes() == before


def test_a_stolen_authority_is_believed_for_nothing_else(tmp_path: Path) -> None:
    authority = Authority.create("stolen", (NOW - timedelta(days=1), NOW + timedelta(days=9)), ["bridges.example.org"])
    for host in ("bank.example.com", "10.0.0.5"):
        write(tmp_path, authority, host)
        assert not accepted(tmp_path, host)
    write(tmp_path, authority, "bridges.example.org")
    assert accepted(tmp_path, "bridges.example.org")


def write(folder: Path, authority: Authority, host: str) -> None:
    """A server certificate that the authority's key signed, whatever the authority was made for."""
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key, signed = authority.issue([host], (NOW - timedelta(hours=1), NOW + timedelta(days=8)))
    (folder / "ca.pem").write_bytes(authority.certificate.public_bytes(Encoding.PEM))
    (folder / "server.pem").write_bytes(signed.public_bytes(Encoding.PEM))
    (folder / "server.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


@pytest.mark.parametrize("lost", ["ca.key", "ca.pem"])
def test_half_an_authority_is_not_replaced(tmp_path: Path, lost: str) -> None:
    make(tmp_path, ["localhost"], NOW)
    (tmp_path / lost).unlink()
    with pytest.raises(Conflict, match="there is only"):
        make(tmp_path, ["localhost"], NOW)
    assert not (tmp_path / lost).exists()


def test_an_authority_with_another_ones_key_does_not_sign(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        make(tmp_path / folder, ["localhost"], NOW)
    (tmp_path / "a" / "ca.key").write_bytes((tmp_path / "b" / "ca.key").read_bytes())
    with pytest.raises(Conflict, match="is not the key of"):
        make(tmp_path / "a", ["localhost"], NOW)
    (tmp_path / "a" / "ca.key").write_text("no key")
    with pytest.raises(Conflict, match="cannot be read"):
        make(tmp_path / "a", ["localhost"], NOW)


@pytest.mark.parametrize("name", ["https://h", "h:8443", "a b", "", "*", "hội.example.org", "h."])
def test_a_name_that_is_none_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(Invalid, match="is no host name and no address"):
        make(tmp_path / "new", [name], NOW)
    assert not (tmp_path / "new").exists()


def test_where_nothing_can_be_written_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable, match="cannot be used"):
        make(tmp_path / "file" / "below", ["localhost"], NOW)


def test_the_command_prints_settings_that_work(tmp_path: Path) -> None:
    words = ["make", "--name", "bridges.example.org", "--name", "10.0.0.5", "--directory", str(tmp_path)]
    result = CliRunner().invoke(command, words, catch_exceptions=False)
    lines = result.output.splitlines()
    begin = lines.index("sites:")
    (tmp_path / "printed.yaml").write_text("\n".join(lines[begin : begin + 5]))
    settings = load_settings(tmp_path / "printed.yaml", {})
    assert settings.site_url() == "https://bridges.example.org:8443"
    assert tls.load(settings.sites).warnings(settings.site_host, NOW) == []
    assert f"Install {tmp_path / 'ca.crt'}" in result.output
