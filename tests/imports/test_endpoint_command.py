"""``bridgemgr endpoint`` as it is typed, against a real database."""

import json

import pytest

from tests.imports.test_commands import CITY, Run, run

__all__ = ["run"]


@pytest.fixture(autouse=True)
def city(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("apply", "-f", "city.yaml", city_yaml=CITY) == 0
    capsys.readouterr()


def test_from_the_first_endpoint_to_the_last(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    def says(*words: str) -> str:
        assert run("endpoint", *words) == 0
        return capsys.readouterr().out

    assert says("add", "ICMP://10.9.0.1", "--core") == "Added: (core) icmp://10.9.0.1\n"
    added = says("add", "sip:room@10.0.0.2", "--site", "X1", "--fall", "5", "--depends-on", "icmp://10.9.0.1")
    assert added == "Added: x1 sip:room@10.0.0.2\n"
    add = ("add", "icmp://10.0.0.1", "--site", "x1", "--depends-on", "(core) icmp://10.9.0.1")
    assert says(*add) == "Added: x1 icmp://10.0.0.1\n"
    change = ("set", "sip:room@10.0.0.2", "--site", "x1", "--fall", "none", "--rise", "1", "--depends-on")
    assert says(*change, "icmp://10.0.0.1") == "Changed: x1 sip:room@10.0.0.2\n"
    listed = json.loads(says("list", "--json"))
    assert [{name: row[name] for name in ("site", "target", "fall", "rise", "depends_on")} for row in listed] == [
        {"site": None, "target": "icmp://10.9.0.1", "fall": None, "rise": None, "depends_on": None},
        {"site": "x1", "target": "sip:room@10.0.0.2", "fall": None, "rise": 1, "depends_on": "x1 icmp://10.0.0.1"},
        {"site": "x1", "target": "icmp://10.0.0.1", "fall": None, "rise": None, "depends_on": "(core) icmp://10.9.0.1"},
    ]
    table = says("list", "--site", "x1", "--target", "ICMP")
    assert len(table.splitlines()) == 2
    assert "(core) icmp://10.9.0.1" in table
    assert "(core)" in says("list", "--core")
    moved = says("set", "icmp://10.0.0.1", "--site", "x1", "--target", "icmp://10.0.0.7", "--depends-on", "none")
    assert moved == "Changed: x1 icmp://10.0.0.7\n"
    assert says("remove", "icmp://10.9.0.1", "--core") == "Removed: (core) icmp://10.9.0.1\n"
    assert [row["depends_on"] for row in json.loads(says("list", "--json"))] == ["x1 icmp://10.0.0.7", None]


def test_what_is_listed_can_be_applied_elsewhere(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run("endpoint", "add", "icmp://10.9.0.1", "--core")
    run("endpoint", "add", "https://10.0.0.1/a?b=%20#ready=200,401", "--site", "x1", "--fall", "7")
    run("endpoint", "add", "sip:10.0.0.2", "--site", "x1", "--depends-on", "https://10.0.0.1/a?b=%20#ready=401,200")
    run("endpoint", "add", "sip:10.0.0.2", "--site", "x2", "--depends-on", "icmp://10.9.0.1")
    capsys.readouterr()
    run("endpoint", "list", "--yaml")
    section = capsys.readouterr().out
    assert run("apply", "-f", "section.yaml", "--json", section_yaml=section) == 0
    assert json.loads(capsys.readouterr().out)["unchanged"] == 4
    for words in (
        ("set", "sip:10.0.0.2", "--site", "x1", "--rise", "9", "--depends-on", "none"),
        ("remove", "icmp://10.9.0.1", "--core"),
    ):
        assert run("endpoint", *words) == 0
    capsys.readouterr()
    assert run("apply", "-f", "section.yaml", "--json") == 0
    done = json.loads(capsys.readouterr().out)
    assert (done["created"], done["changed"]) == (1, 2)
    run("endpoint", "list", "--yaml")
    assert sorted(capsys.readouterr().out.splitlines()) == sorted(section.splitlines())


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (("add", "icmp://10.0.0.1"), 2, "Say where it stands: --site CODE, or --core."),
        (("add", "icmp://10.0.0.1", "--site", "x1", "--core"), 2, "Say where it stands"),
        (("add", "icmp://10.0.0.1", "--site", "x9"), 1, "There is no site with the code x9."),
        (("add", "icmp://10.0.0.1", "--site", "x 1"), 2, "--site is no code"),
        (("add", "icmp://0177.1", "--core"), 2, "is no IPv4 address of four decimal numbers"),
        (("add", "icmp://10.0.0.1", "--core", "--fall", "0"), 2, "0 is not in the range 1<=x<=100"),
        (("add", "icmp://10.0.0.1", "--core", "--rise", "soon"), 2, "'soon' is not a valid integer"),
        (("add", "icmp://10.0.0.1", "--core", "--depends-on", "tcp://a:1"), 2, "there is no endpoint tcp://a:1"),
        (("add", "icmp://10.0.0.1", "--core", "--depends-on", "x9 tcp://a:1"), 2, "there is no endpoint x9 tcp://a:1"),
        (("add", "icmp://10.0.0.1", "--core", "--depends-on", "a"), 2, "depends_on: 'a' is no target"),
        (("set", "icmp://10.0.0.1", "--site", "x1", "--fall", "2"), 1, "The site x1 has no endpoint icmp://10.0.0.1."),
        (("remove", "icmp://10.0.0.1", "--core"), 1, "The core has no endpoint icmp://10.0.0.1."),
        (("list", "--site", "x9"), 1, "There is no site with the code x9."),
        (("list", "--json", "--yaml"), 2, "Choose --json or --yaml."),
    ],
)
def test_what_cannot_be_says_why(
    run: Run, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], status: int, says: str
) -> None:
    assert run("endpoint", *words) == status
    told = capsys.readouterr().err
    assert says in " ".join(told.split())
    assert "Traceback" not in told


def test_a_circle_is_told(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run("endpoint", "add", "icmp://a", "--core")
    run("endpoint", "add", "icmp://b", "--core", "--depends-on", "icmp://a")
    assert run("endpoint", "set", "icmp://a", "--core", "--depends-on", "icmp://b") == 2
    assert "icmp://a would be behind icmp://b, which is behind icmp://a" in capsys.readouterr().err


def test_a_table_is_imported_and_a_bad_row_is_named(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    good = "target,site,fall,depends_on\nsip:10.0.0.2,x1,4,icmp://10.9.0.1\nicmp://10.9.0.1,,,\n"
    assert run("import", "endpoints", "good.csv", "--dry-run", good_csv=good) == 0
    assert "endpoints: 2 created" in capsys.readouterr().out
    assert run("import", "endpoints", "good.csv") == 0
    bad = good.replace("icmp://10.9.0.1,,,", "icmp://10.9.0.1,,,x1 sip:10.0.0.2")
    assert run("import", "endpoints", "bad.csv", bad_csv=bad) == 2
    told = capsys.readouterr().err
    circle = "would close a circle: icmp://10.9.0.1 (core) would be behind sip:10.0.0.2 (x1), which is behind"
    assert f"bad.csv:3: column depends_on: {circle}" in told
