"""What is refused, and with which words."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from bridgemgr.errors import Invalid, Malformed
from bridgemgr.settings import Address, DatabaseSettings, Settings, changes, load_settings
from tests.settings.settings_files import SECRET, loaded, refused

REJECTED = Path(__file__).parent / "rejected"


@pytest.mark.parametrize("name", sorted(path.name for path in REJECTED.glob("*.yaml")))
def test_a_rejected_file_says_exactly_what_is_wrong(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REJECTED)
    with pytest.raises(Invalid) as caught:
        load_settings(Path(name), {})
    assert [str(problem) for problem in caught.value.problems] == Path(name).with_suffix(
        ".txt"
    ).read_text().splitlines()
    assert SECRET not in f"{caught.value.message} {caught.value.problems}"


def test_every_rejected_file_has_its_message_and_every_message_its_file() -> None:
    files = {path.stem for path in REJECTED.glob("*.yaml")}
    assert files == {path.stem for path in REJECTED.glob("*.txt")}
    assert len(files) > 20


def test_what_is_no_yaml_is_malformed_and_what_is_unacceptable_is_invalid() -> None:
    with pytest.raises(Malformed):
        loaded("log: {")
    with pytest.raises(Invalid) as caught:
        loaded("backlog: 0")
    assert not isinstance(caught.value, Malformed)
    assert caught.value.exit_status == 2


def test_all_problems_of_file_and_environment_come_at_once_in_order() -> None:
    found = refused(
        "probes:\n  rise: 0\nbacklog: x\nbacklog: 100\nlog:\n  levl: info\ndatabase:\n  pool_max: 1\n",
        BRIDGEMGR_LISTEN="nowhere",
        BRIDGEMGR_PUBLIC_URL="bridges.example.org",
    )
    assert [line.partition(" must")[0].partition(" stands")[0] for line in found] == [
        "given.yaml:2:9: probes.rise:",
        "given.yaml:3:10: backlog:",
        "given.yaml:4:1: backlog:",
        "given.yaml:6:3: log.levl: unknown key; did you mean level?",
        "given.yaml:8:13: database.pool_max: pool_max",
        "environment BRIDGEMGR_LISTEN:",
        "environment BRIDGEMGR_PUBLIC_URL:",
    ]


def test_the_environments_problems_are_told_beside_a_broken_file() -> None:
    found = refused("log: {", BRIDGEMGR_LISTEN="nowhere")
    assert len(found) == 2
    assert found[1].startswith("environment BRIDGEMGR_LISTEN: must be host:port")


def test_a_rule_between_two_settings_is_told_although_a_third_is_wrong_too() -> None:
    found = refused("database:\n  pool_min: 5\n  pool_max: 4\n  statement_timeout_s: long\n")
    assert len(found) == 2


def test_a_file_over_one_mebibyte_is_refused_unread() -> None:
    assert changes(Settings(), loaded(b"#" * (1 << 20))) == []
    assert refused(b"#" * ((1 << 20) + 1)) == [
        "given.yaml: is larger than 1 MiB; settings need a few kB, so this is some other file"
    ]


def test_a_file_of_too_many_values_is_told_in_one_line() -> None:
    found = refused("probes:\n  allow:\n" + "    - 10.0.0.0/8\n" * 10_000)
    assert found == ["given.yaml:10000:7: holds more than 10,000 values; is this the right file?"]


def test_a_list_has_a_bound() -> None:
    found = refused("probes:\n  allow:\n" + "    - 10.0.0.0/8\n" * 1001)
    wanted = "a list of at most 1000 networks, such as [10.0.0.0/8, 192.168.0.0/16]"
    assert found == [f"given.yaml:3:5: probes.allow: must be {wanted}; it is a list of 1001"]


def test_deep_nesting_ends_in_a_message_however_it_is_written() -> None:
    for text in ("a: " + "{b: " * 100_000, "- " * 100_000, "? " * 50_000, "[" * 500_000):
        assert "nested more than 16 deep" in refused(text)[0]


def test_settings_built_in_code_keep_the_same_rules() -> None:
    with pytest.raises(ValidationError):
        DatabaseSettings(pool_min=5, pool_max=4)
    with pytest.raises(ValidationError):
        Settings().listen = Address("::1", 1)  # type: ignore[misc]
