"""The lock files hold what pyproject.toml asks for: exact versions, with hashes, from no place in particular."""

import re
import tomllib
from dataclasses import dataclass

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.house.tree import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
RUNTIME = [Requirement(line) for line in [*PROJECT["project"]["dependencies"], *PROJECT["build-system"]["requires"]]]
DEV = [Requirement(line) for line in PROJECT["project"]["optional-dependencies"]["dev"]]
PINNED = re.compile(r"([a-z0-9.-]+)==([^\s;]+)(?: ; ([^\\]+?))? \\")
HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}(?: \\)?")


@dataclass
class Pin:
    version: str
    marker: str | None
    hashes: int = 0


def read(name: str) -> dict[str, Pin]:
    """The pins of a lock file by package; a line that is neither pin, hash nor comment fails the test."""
    pins: dict[str, Pin] = {}
    for number, line in enumerate((ROOT / name).read_text().splitlines(), 1):
        if found := PINNED.fullmatch(line):
            assert found[1] not in pins, f"{name}:{number}: a second pin"
            last = pins[found[1]] = Pin(found[2], found[3])
        elif HASH.fullmatch(line):
            last.hashes += 1
        else:
            assert re.fullmatch(r"    #[^:@]*", line), f"{name}:{number}: {line}"
    return pins


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_every_pin_has_hashes(name: str) -> None:
    pins = read(name)
    assert pins
    assert [package for package, pin in pins.items() if not pin.hashes] == []


@pytest.mark.parametrize(
    ("name", "wanted"), [("requirements.lock", RUNTIME), ("requirements-dev.lock", [*RUNTIME, *DEV])]
)
def test_every_requirement_is_pinned_to_a_version_that_fits(name: str, wanted: list[Requirement]) -> None:
    pins = read(name)
    for requirement in wanted:
        pin = pins[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(pin.version), f"{requirement} is pinned to {pin.version}"
        assert (Marker(pin.marker) if pin.marker else None) == requirement.marker, requirement


def test_development_runs_on_what_is_delivered() -> None:
    dev = read("requirements-dev.lock")
    for package, pin in read("requirements.lock").items():
        assert (package, dev[package].version) == (package, pin.version)
