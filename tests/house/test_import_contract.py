"""Who may import whom, as pyproject.toml lays down."""

import pytest
from importlinter.cli import lint_imports

from tests.house.tree import ROOT


def test_every_import_is_allowed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    status = lint_imports(config_filename="pyproject.toml", no_cache=True, no_logo=True)
    report = capsys.readouterr().out
    assert status == 0, report
    assert "0 broken" in report
