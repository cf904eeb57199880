"""Programs that the tests drive as real peers."""

import os
import shutil

import pytest

PACKAGES = {
    "ip": "iproute2",
    "chromium": "chromium",
    "openssl": "openssl",
    "promtool": "prometheus",
    "sipp": "sip-tester",
    "unshare": "util-linux",
}


def need(*programs: str) -> None:
    """Skip the test where one of ``programs`` is missing, naming its Debian package; in CI that fails it."""
    missing = [program for program in programs if shutil.which(program) is None]
    if not missing:
        return
    packages = " ".join(PACKAGES.get(program, program) for program in missing)
    message = f"missing: {', '.join(missing)} (apt-get install {packages})"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)
