"""Every setting with its default, unit and meaning. The example file and the messages are made from this."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, PrivateAttr, ValidationInfo, field_validator

from bridgemgr.settings.fields import Section, not_below, seconds, setting, whole
from bridgemgr.settings.history import HistorySettings
from bridgemgr.settings.line_tests import LineTestSettings
from bridgemgr.settings.places import default_data_dir
from bridgemgr.settings.readiness import ReadinessSettings
from bridgemgr.settings.sites import SiteSettings
from bridgemgr.settings.values import (
    ADDRESS_FORM,
    DSN_FORM,
    PATH_FORM,
    URL_FORM,
    ZONE_FORM,
    Address,
    AddressValue,
    DsnValue,
    NetworkValue,
    PathValue,
    UrlValue,
    ZoneValue,
)

# RFC 1918 and RFC 4193: sites sit on leased lines and private networks. Loopback and link-local stay out,
# so that an endpoint cannot be aimed at this machine's own services or a cloud's metadata address.
_PRIVATE_NETWORKS = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  - compared with, not bound to


class DatabaseSettings(Section):
    """The store."""

    dsn: DsnValue = setting(
        None,
        "The PostgreSQL database, 15 or newer, as a URL; several hosts may be named. Without it the service "
        "starts a database of its own in the data directory. It holds a password: keep this file private.",
        expected=DSN_FORM,
        env="BRIDGEMGR_DATABASE_DSN",
    )
    pool_min: int = whole(2, "Connections kept open when there is nothing to do.", low=0, high=1000, unit="connections")
    pool_max: int = whole(10, "Connections open at most.", low=1, high=1000, unit="connections")
    acquire_timeout_s: float = seconds(
        5, "How long a request waits for a free connection before it is told to try again.", low=0.1, high=60
    )
    statement_timeout_s: float = seconds(
        30, "How long one SQL statement may run before it is ended.", low=0.1, high=3600
    )

    @field_validator("pool_max")
    @classmethod
    def _holds_pool_min(cls, value: int, info: ValidationInfo) -> int:
        not_below(value, info, "pool_min")
        return value


class LogSettings(Section):
    """What the service writes to standard error."""

    level: Literal["debug", "info", "warning", "error"] = setting(
        "info",
        "The least severe message that is written.",
        expected="one of debug, info, warning, error",
        reload=True,
    )
    format: Literal["text", "json"] = setting(
        "text", "Lines for people, or one JSON object a line.", expected="one of text, json"
    )


class CheckInSettings(Section):
    """How check-ins are taken in."""

    writers: int = whole(
        1,
        "Groups of check-ins that are committed side by side; each holds a connection.",
        low=1,
        high=32,
        unit="writers",
    )
    group_max: int = whole(500, "Check-ins that one commit covers at most.", low=1, high=5000, unit="check-ins")
    queue_max: int = whole(
        5000,
        "Check-ins that may wait for a commit, at least a whole batch; beyond it a site is told to try again.",
        low=1000,
        high=1_000_000,
        unit="check-ins",
    )

    @field_validator("queue_max")
    @classmethod
    def _holds_group_max(cls, value: int, info: ValidationInfo) -> int:
        not_below(value, info, "group_max")
        return value


class ProbeSettings(Section):
    """How the endpoints behind the bridges are probed."""

    enabled: bool = setting(True, "Whether this process probes at all.", expected="true or false")
    allow: Annotated[tuple[NetworkValue, ...], Field(strict=False)] = setting(
        _PRIVATE_NETWORKS,
        "Networks that may be probed; a target elsewhere is refused. A lone address may be named too.",
        expected="a list of at most 1000 networks, such as [10.0.0.0/8, 192.168.0.0/16]",
        reload=True,
        max_length=1000,
    )
    timeout_s: float = seconds(5, "The total time one probe may take.", low=0.1, high=60, reload=True)
    concurrency: int = whole(
        500,
        "Probes under way at once at most, each with a connection of its own; of those that share a socket (ping, SIP "
        "and STUN over UDP) eight times as many. What timed out the last time gets at most half.",
        low=1,
        high=10_000,
        unit="probes",
    )
    interval_live_s: float = seconds(
        10,
        "Between two probes of an endpoint whose conference is live.",
        low=1,
        high=3600,
        reload=True,
    )
    interval_idle_s: float = seconds(
        300,
        "Between two probes of an endpoint with no conference near.",
        low=1,
        high=86_400,
        reload=True,
    )
    ramp_from_min: int = whole(
        60,
        "How long before a conference's start its endpoints begin to be probed more often.",
        low=0,
        high=1440,
        unit="minutes",
        reload=True,
    )
    fall: int = whole(
        3,
        "Failures in a row after which an endpoint is down, unless it has its own.",
        low=1,
        high=100,
        unit="probes",
        reload=True,
    )
    rise: int = whole(
        2,
        "Successes in a row after which an endpoint is up again, unless it has its own.",
        low=1,
        high=100,
        unit="probes",
        reload=True,
    )
    flap_changes: int = whole(
        4,
        "Changes between up and down after which an endpoint flaps. It counts as down then, under one incident, until "
        "it was reached this many times rise in a row.",
        low=2,
        high=100,
        unit="changes",
        reload=True,
    )
    flap_window_min: int = whole(
        10, "Within how long these changes count.", low=1, high=1440, unit="minutes", reload=True
    )

    @field_validator("interval_idle_s")
    @classmethod
    def _not_oftener_than_live(cls, value: float, info: ValidationInfo) -> float:
        not_below(value, info, "interval_live_s")
        return value


class SessionSettings(Section):
    """People who are signed in."""

    lifetime_h: int = whole(12, "How long somebody stays signed in.", low=1, high=720, unit="hours")
    sign_in_link_min: int = whole(
        60,
        "How long a sign-in link that an administrator hands out is good for.",
        low=1,
        high=10_080,
        unit="minutes",
    )


class Settings(Section):
    """All settings of one process; frozen. Built by ``load_settings``, or bare for the defaults."""

    listen: AddressValue = setting(
        "127.0.0.1:8080",
        "Where the service listens; 0.0.0.0 or [::] is every address of the machine, port 0 any free port.",
        expected=ADDRESS_FORM,
        env="BRIDGEMGR_LISTEN",
    )
    public_url: UrlValue = setting(
        None,
        "What links and QR codes carry, as people and sites reach the service from outside. Without it they "
        "carry the address the service listens on.",
        expected=URL_FORM,
        env="BRIDGEMGR_PUBLIC_URL",
    )
    backlog: int = whole(
        2048,
        "Connections that may wait to be accepted: hundreds of sites connect in the same second.",
        low=16,
        high=65_535,
        unit="connections",
    )
    data_dir: PathValue = setting(
        None,
        "Where the service keeps its data. Without it /var/lib/bridgemgr for root, else "
        "$XDG_DATA_HOME/bridgemgr or ~/.local/share/bridgemgr.",
        expected=PATH_FORM,
        env="BRIDGEMGR_DATA_DIR",
    )
    keys_dir: PathValue = setting(
        None,
        "Where the keys that sign receipts are kept. Without it the directory keys in the data directory.",
        expected=PATH_FORM,
    )
    time_zone: ZoneValue = setting("Asia/Ho_Chi_Minh", "The time zone that a new office gets.", expected=ZONE_FORM)
    database: DatabaseSettings = DatabaseSettings()
    log: LogSettings = LogSettings()
    check_ins: CheckInSettings = CheckInSettings()
    probes: ProbeSettings = ProbeSettings()
    history: HistorySettings = HistorySettings()
    sessions: SessionSettings = SessionSettings()
    line_tests: LineTestSettings = LineTestSettings()
    readiness: ReadinessSettings = ReadinessSettings()
    sites: SiteSettings = SiteSettings()

    _source: str = PrivateAttr("defaults")
    _environ: Mapping[str, str] = PrivateAttr(default_factory=lambda: os.environ)

    @property
    def source(self) -> str:
        """Where they came from: ``config/bridgemgr.yaml, environment BRIDGEMGR_LISTEN``, or ``defaults``."""
        return self._source

    @property
    def data_path(self) -> Path:
        """The data directory in force.

        Raises:
            Invalid: none is set and there is no home directory.
        """
        return self.data_dir or default_data_dir(self._environ)

    @property
    def keys_path(self) -> Path:
        """The directory of the signing keys in force; raises as ``data_path`` does."""
        return self.keys_dir or self.data_path / "keys"

    def base_url(self, port: int | None = None) -> str:
        """What links carry, without a trailing slash; ``port`` is the one really bound, where it was 0."""
        return self.public_url or f"http://{_reached(self.listen, port)}"

    def site_url(self, port: int | None = None) -> str:
        """What links and QR codes for sites carry, without a trailing slash.

        Args:
            port: the one really bound by the sites' listener, or by the service where that is off; matters
                where the setting says 0.
        """
        if self.sites.public_url:
            return self.sites.public_url
        if self.sites.listen is None:
            return self.base_url(port)
        return f"https://{_reached(self.sites.listen, port)}"

    @property
    def site_host(self) -> str:
        """The host name or address that links for sites carry; their certificate should cover it."""
        return urlsplit(self.site_url()).hostname or ""


def _reached(listen: Address, port: int | None) -> Address:
    host = _WILDCARDS.get(listen.host, listen.host)
    return Address(host, listen.port if port is None else port)
