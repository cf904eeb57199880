"""The demo's own address for sites, and the certificate that it makes for itself."""

import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bridgemgr.demo import site_listener
from bridgemgr.demo.play import settings_for_demo
from bridgemgr.settings import Address, Settings, SiteSettings
from bridgemgr.web import tls

NOW = datetime.now(UTC)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_for_demo(Settings(data_dir=str(tmp_path)), sites=True)


def test_a_certificate_is_made_once_and_renewed_in_time_by_the_same_authority(settings: Settings) -> None:
    site_listener.certify(settings, NOW)
    first = tls.load(settings.sites)
    assert first.warnings(settings.site_host, NOW) == []
    authority = site_listener.files_of(settings).authority.read_bytes()
    site_listener.certify(settings, NOW + timedelta(days=700))
    assert tls.load(settings.sites).fingerprint == first.fingerprint
    site_listener.certify(settings, NOW + timedelta(days=780))
    assert tls.load(settings.sites).not_after > first.not_after
    assert site_listener.files_of(settings).authority.read_bytes() == authority


def test_settings_with_a_listener_of_their_own_are_left_alone(tmp_path: Path) -> None:
    own = SiteSettings(listen="127.0.0.1:9443", certificate="c.pem", key="k.pem")
    settings = settings_for_demo(Settings(data_dir=str(tmp_path), sites=own))
    assert site_listener.reserve(settings) is None
    assert settings.sites == own
    site_listener.certify(settings, NOW)
    assert list(tmp_path.iterdir()) == []


def test_a_port_that_is_taken_is_left_to_who_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        monkeypatch.setattr(site_listener, "ADDRESS", Address(*other.getsockname()))
        assert site_listener.reserve(Settings()) is None
    reserved = site_listener.reserve(Settings())
    assert reserved is not None
    with reserved:
        assert site_listener.reserve(Settings()) is None, "nobody else gets it while the demo is being built"
