"""Programs that the tests drive as real peers."""

import os
import shutil

import pytest

PACKAGES = {
    "ip": "iproute2",
    "chromium": "chromium",
    "nginx": "nginx-light",
    "openssl": "openssl",
    "prometheus-blackbox-exporter": "prometheus-blackbox-exporter",
    "promtool": "prometheus",
    "sipp": "sip-tester",
    "text2pcap": "tshark",
    "tshark": "tshark",
    "turnserver": "coturn",
    "unbound": "unbound",
    "unshare": "util-linux",
}


def find(program: str) -> str | None:
    """The path of ``program``; servers stand in directories that are on root's PATH only."""
    return shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")


def need(*programs: str) -> None:
    """Skip the test where one of ``programs`` is missing, naming its Debian package; in CI that fails it."""
    missing = [program for program in programs if find(program) is None]
    if not missing:
        return
    packages = " ".join(PACKAGES.get(program, program) for program in missing)
    message = f"missing: {', '.join(missing)} (apt-get install {packages})"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)
