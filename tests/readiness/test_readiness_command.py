"""``bridgemgr conference readiness`` as it is typed."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import asyncpg
import pytest

from tests.imports.test_commands import CITY, HN1, Run, run

__all__ = ["run"]


async def _forget_keys(connect: dict[str, Any]) -> None:
    """Each test has keys of its own, and the database remembers whose it is."""
    conn = await asyncpg.connect(**connect)
    await conn.execute("UPDATE instance SET keys_name = NULL")
    await conn.close()


@pytest.fixture
def told(run: Run, connect: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """The city of two sites and its conference, which is far ahead."""
    asyncio.run(_forget_keys(connect))
    assert run("apply", "-f", "city.yaml", city_yaml=CITY + HN1) == 0
    capsys.readouterr()
    yield run
    asyncio.run(_forget_keys(connect))


def test_it_says_the_number_and_why_in_ten_lines(told: Run, capsys: pytest.CaptureFixture[str]) -> None:
    targets = "[" + ", ".join(f"icmp://10.0.0.{number}" for number in range(1, 4)) + "]"
    more = f"sites: [{{code: x1, name: Xã Một, endpoints: {targets}}}]\n"
    assert told("apply", "-f", "more.yaml", more_yaml=more) == 0
    capsys.readouterr()
    assert told("conference", "readiness", "HN1") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "hn1: readiness 50 %"
    assert lines[1] == "bridges whose lines are ready 0/1"
    assert lines[2].startswith("So far of lines alone: check-ins are asked for from 2099-03-02 ")
    assert lines[3:] == ["     1  line not known: nobody could look: x1"]
    assert told("conference", "readiness", "hn1", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["ratio"] == 0.5
    [reason] = found["reasons"]
    assert [each["site"] for each in reason["sites"]] == ["x1"]
    assert len(reason["sites"][0]["values"]) == 3


def test_what_there_is_none_of(told: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert told("conference", "readiness", "none") == 1
    assert "There is no conference with the code none." in capsys.readouterr().err
    assert told("conference", "readiness") == 2
    assert told("apply", "-f", "none.yaml", none_yaml=HN1.replace("hn1", "hn2").replace("{x1: 10, x2: 3}", "{}")) == 0
    capsys.readouterr()
    assert told("conference", "readiness", "hn2") == 0
    assert capsys.readouterr().out.startswith("hn2: readiness none: no bridge is required")


def test_a_site_that_cannot_be_probed_is_applied_as_such(told: Run, capsys: pytest.CaptureFixture[str]) -> None:
    said = "sites: [{code: x1, name: Xã Một, observable: false, endpoints: [icmp://10.0.0.1]}]\n"
    assert told("apply", "-f", "said.yaml", said_yaml=said) == 0
    capsys.readouterr()
    assert told("conference", "readiness", "hn1") == 0
    assert capsys.readouterr().out.splitlines()[0] == "hn1: readiness 100 %", "nobody could look, and nobody needs to"


def test_a_table_says_which_sites_cannot_be_probed(told: Run, capsys: pytest.CaptureFixture[str]) -> None:
    sites = "code,name,observable,endpoints\nx1,Xã Một,no,icmp://10.0.0.1\nx2,Xã Hai,,\nx3,Xã Ba,không,\n"
    assert told("import", "sites", "sites.csv", "--office", "vp", sites_csv=sites) == 0
    capsys.readouterr()
    assert told("conference", "readiness", "hn1") == 0
    assert capsys.readouterr().out.splitlines()[0] == "hn1: readiness 100 %"
    assert told("import", "sites", "back.csv", back_csv="code,name,observable\nx1,Xã Một,có\n") == 0
    capsys.readouterr()
    assert told("conference", "readiness", "hn1") == 0
    assert capsys.readouterr().out.splitlines()[0] == "hn1: readiness 50 %", "its endpoint was never probed"
    assert told("import", "sites", "other.csv", other_csv="code,name\nx1,Xã Một\n") == 0
    capsys.readouterr()
    assert told("conference", "readiness", "hn1") == 0
    assert capsys.readouterr().out.splitlines()[0] == "hn1: readiness 50 %", "a table that does not speak of it"
