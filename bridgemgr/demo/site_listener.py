"""The demo's own listener for sites: its address, and a certificate from an authority in its data directory."""

import socket
from datetime import datetime, timedelta

from bridgemgr.settings import Address, Settings
from bridgemgr.web import certificates, listeners, tls

ADDRESS = Address("127.0.0.1", 8443)
_NAMES = (ADDRESS.host, "localhost")
_RENEW_BEFORE = timedelta(days=60)


def reserve(settings: Settings) -> socket.socket | None:
    """Take the demo's port before anything is built on it; None where it is taken or the settings have their own."""
    if settings.sites.listen is not None:
        return None
    return listeners.reserve(ADDRESS, settings.backlog)


def with_listener(settings: Settings) -> Settings:
    """The settings with the demo's listener for sites."""
    files = files_of(settings)
    sites = {"listen": ADDRESS, "certificate": files.certificate, "key": files.key}
    return settings.model_copy(update={"sites": settings.sites.model_copy(update=sites)})


def files_of(settings: Settings) -> certificates.Files:
    """Where the demo's authority and certificate lie."""
    return certificates.Files.of(settings.data_path / "certificates")


def certify(settings: Settings, now: datetime) -> None:
    """Make the certificate where the demo's listener needs one, or a new one soon."""
    files = files_of(settings)
    if settings.sites.certificate != files.certificate:
        return
    fresh = files.certificate.exists() and tls.load(settings.sites).not_after - now > _RENEW_BEFORE
    if not fresh:
        certificates.make(files.certificate.parent, _NAMES, now)
