"""``bridgemgr roster`` as it is typed, against a real database."""

import asyncio
import json
from typing import Any

import asyncpg
import pytest

from tests.imports.test_commands import Run, run

__all__ = ["run"]
FILES = {
    "offices_csv": "code,name\nvp,Văn phòng\n",
    "sites_csv": "code,name\nx1,Xã Một\nx2,Xã Hai\n",
    "conferences_csv": "code,office,title,starts_at,ends_at\nhn1,vp,Họp,02/03/2026 08:00,02/03/2026 11:00\n",
    "bridges_csv": "conference,site,expected_delegates,names_kept\nhn1,x1,10,\nhn1,x2,10,no\n",
    "delegates_csv": "conference,site,number,name\nhn1,x1,1,Nguyễn An\nhn1,x1,2,Lê Bình\n",
}


@pytest.fixture
def typed(run: Run, connect: dict[str, Any], request: pytest.FixtureRequest) -> Run:
    """A conference with a roster of two at x1, and x2 which keeps no names."""
    asyncio.run(forget_keys(connect))
    request.addfinalizer(lambda: asyncio.run(forget_keys(connect)))
    for table in ("offices", "sites", "conferences", "bridges", "delegates"):
        assert run("import", table, f"{table}.csv", **FILES) == 0
    return run


async def forget_keys(connect: dict[str, Any]) -> None:
    """Each test has keys of its own, but the database is the same."""
    conn = await asyncpg.connect(**connect)
    await conn.execute("UPDATE instance SET keys_name = NULL")
    await conn.close()


def test_a_roster_is_listed_added_to_and_erased(typed: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert typed("roster", "add", "hn1", "x1", "--name", "Vũ Dũng", "--title", "Thư ký") == 0
    assert "Added: hn1/x1/3" in capsys.readouterr().out
    erase = ("roster", "erase", "hn1", "--site", "x1", "--number", "2", "--reason", "theo yêu cầu")
    capsys.readouterr()
    assert typed(*erase) == 2
    assert "Repeat it with --yes." in capsys.readouterr().err
    assert typed(*erase, "--yes") == 0
    told = capsys.readouterr()
    assert told.out == "1 name erased.\n"
    assert "Backups of the database" in told.err
    assert typed("roster", "list", "hn1", "--json") == 0
    items = json.loads(capsys.readouterr().out)
    assert [(each["number"], each["name"]) for each in items] == [(1, "Nguyễn An"), (2, ""), (3, "Vũ Dũng")]
    assert typed("roster", "list", "hn1", "--site", "X1") == 0
    assert "(name erased)" in capsys.readouterr().out
    assert typed("roster", "erase", "hn1", "--reason", "hết hạn", "--yes", "--json") == 0
    assert json.loads(capsys.readouterr().out)["erased"] == 2


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["list", "nowhere"], 1, "There is no conference with the code nowhere."),
        (["list", "hn1", "--site", "x9"], 1, "The site x9 is no bridge of the conference hn1."),
        (["add", "hn1", "x1", "--name", ""], 2, "roster.name is empty."),
        (["add", "hn1", "x1", "--name", "A", "--number", "0"], 2, "roster.number must be at least 1."),
        (["add", "hn1", "x1", "--name", "A", "--number", "1"], 1, "The number 1 is taken on the roster of x1."),
        (["add", "hn1", "x2", "--name", "A"], 1, "No names are kept at the bridge x2: it has headcounts only."),
        (["erase", "hn1", "--number", "1", "--reason", "r", "--yes"], 2, "numbers count within a bridge"),
        (["erase", "hn1", "--site", "x1", "--number", "9", "--reason", "r", "--yes"], 1, "Nothing was erased."),
        (["erase", "hn1", "--site", "x1", "--reason", "", "--yes"], 2, "roster.reason is empty."),
        (["erase", "hn1"], 2, "--reason"),
    ],
)
def test_what_is_wrong_is_said(
    typed: Run, capsys: pytest.CaptureFixture[str], words: list[str], status: int, said: str
) -> None:
    capsys.readouterr()
    assert typed("roster", *words) == status
    assert said in capsys.readouterr().err
