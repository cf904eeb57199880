"""The example file and the command check-config."""

import json
import subprocess
import sys
from pathlib import Path

import yaml
from click.testing import CliRunner

from bridgemgr.cli.check_config import check_config
from bridgemgr.errors import Invalid
from bridgemgr.settings import CATALOGUE, Settings, changes, example_yaml, load_settings
from tests.settings.settings_files import DSN, loaded

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "config" / "bridgemgr.example.yaml"


def test_the_example_file_is_the_one_the_model_writes() -> None:
    assert EXAMPLE.read_text(encoding="utf-8") == example_yaml()


def test_the_example_names_every_setting_with_its_default_and_loads() -> None:
    assert changes(Settings(), load_settings(EXAMPLE, {})) == []
    text = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
    for one in CATALOGUE:
        place = text
        for step in one.path:
            place = place[step]
        assert one.text
        assert one.expected


def test_what_a_reload_takes_is_told_of_each_change() -> None:
    found = loaded("log:\n  level: debug\nbacklog: 100\nprobes:\n  allow: [10.1.0.0/16]\n  timeout_s: 2\n")
    assert {change.setting.name: change.setting.reload for change in changes(Settings(), found)} == {
        "log.level": True,
        "backlog": False,
        "probes.allow": True,
        "probes.timeout_s": True,
    }


def test_check_config_tells_what_differs_and_hides_the_password() -> None:
    Path("b.yaml").write_text(f"log:\n  level: debug\ndatabase:\n  dsn: {DSN}\nprobes:\n  allow: []\n  rise: 2\n")
    result = CliRunner().invoke(check_config, ["b.yaml"], catch_exceptions=False)
    assert result.output.splitlines() == [
        "ok: b.yaml",
        "  database.dsn: (hidden) (default none)",
        "  log.level: debug (default info)",
        "  probes.allow: none (default 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, fc00::/7)",
    ]


def test_check_config_as_json() -> None:
    result = CliRunner().invoke(check_config, ["--json"], env={"BRIDGEMGR_LISTEN": "[::1]:0"}, catch_exceptions=False)
    assert json.loads(result.output) == {
        "ok": True,
        "source": "defaults, environment BRIDGEMGR_LISTEN",
        "differences": [
            {
                "setting": "listen",
                "value": "[::1]:0",
                "default": "127.0.0.1:8080",
                "unit": None,
                "reload": False,
            }
        ],
    }


def test_check_config_prints_the_example_to_the_byte() -> None:
    program = "from bridgemgr.cli.check_config import check_config; check_config()"
    done = subprocess.run([sys.executable, "-c", program, "--example"], cwd=ROOT, capture_output=True, check=True)
    assert done.stdout == EXAMPLE.read_bytes()


def test_check_config_leaves_problems_to_the_program() -> None:
    result = CliRunner().invoke(check_config, ["missing.yaml"])
    assert isinstance(result.exception, Invalid)
    assert [problem.where for problem in result.exception.problems] == ["missing.yaml"]
    assert result.output == ""


def test_check_config_takes_the_example_alone() -> None:
    assert CliRunner().invoke(check_config, ["--example", "b.yaml"]).exit_code == 2
