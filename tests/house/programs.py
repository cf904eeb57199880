"""Prints the Debian packages of the programs that the tests drive and that are not here: all on one line."""

from tests.tools import PACKAGES, find


def missing() -> list[str]:
    """The packages to install, in order, each once."""
    return sorted({package for program, package in PACKAGES.items() if find(program) is None})


if __name__ == "__main__":
    print(*missing())
