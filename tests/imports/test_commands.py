"""The commands as they are typed, against a real database."""

import asyncio
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import asyncpg
import pytest

from bridgemgr.cli.main import _run

Run = Callable[..., int]


@pytest.fixture
def run(connect: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Type a command in the folder of the test; its files are written there first."""
    if "dsn" in connect:
        dsn = connect["dsn"]
    else:
        where = f"host={quote(str(connect['host']), safe='')}&port={connect['port']}"
        dsn = f"postgresql://{connect['user']}@/{connect['database']}?{where}"
    monkeypatch.setenv("BRIDGEMGR_DATABASE_DSN", dsn)
    monkeypatch.setenv("BRIDGEMGR_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)

    def type_(*words: str, **files: str) -> int:
        for name, text in files.items():
            (tmp_path / name.replace("_", ".")).write_text(text, encoding="utf-8")
        return _run(list(words))

    yield type_
    asyncio.run(_empty(connect))


async def _empty(connect: dict[str, Any]) -> None:
    conn = await asyncpg.connect(**connect)
    await conn.execute("SET session_replication_role = replica")
    tables = "delegates, bridges, conferences, site_contacts, endpoints, sites, areas, offices, audit_events"
    await conn.execute("; ".join(f"DELETE FROM {table}" for table in tables.split(", ")))
    await conn.close()


CITY = "offices: [{code: vp, name: Văn phòng}]\nsites: [{code: x1, name: Xã Một}, {code: x2, name: Xã Hai}]\n"
HN1 = (
    "conferences: [{code: hn1, office: vp, title: Họp, starts_at: 02/03/2099 08:00, ends_at: 02/03/2099 11:00,"
    " bridges: {x1: 10, x2: 3}}]\n"
)


def test_tables_one_after_the_other(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("import", "offices", "o.csv", o_csv="code,name\nvp,Văn phòng\n") == 0
    assert run("import", "sites", "s.csv", "--office", "vp", s_csv="mã,tên\nx1,Xã Một\n") == 0
    conferences = "code,office,title,starts_at,ends_at\nhn1,vp,Họp,02/03/2099 08:00,02/03/2099 11:00\n"
    assert run("import", "conferences", "c.csv", c_csv=conferences) == 0
    assert run("import", "bridges", "b.csv", b_csv="conference,site,expected_delegates\nhn1,x1,2\n") == 0
    capsys.readouterr()
    assert run("import", "delegates", "d.csv", d_csv="conference,site,number,name\nhn1,x1,1,Nguyễn An\n") == 0
    assert capsys.readouterr().out == "delegates: 1 created, 0 changed, 0 unchanged\nWritten.\n"


def test_bad_rows_are_named_on_standard_error(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    bad = "code,name,timezone\nvp,Văn phòng,Hanoi\nvp2,,\n"
    assert run("import", "offices", "o.csv", o_csv=bad) == 2
    told = capsys.readouterr()
    assert told.err.splitlines() == [
        "o.csv:2: column timezone: is no time zone: write an IANA name such as Asia/Ho_Chi_Minh",
        "o.csv:3: column name: is empty",
        "Nothing was written: 2 things are wrong.",
    ]
    assert told.out == "offices: 0 created, 0 changed, 0 unchanged\n"


def test_json_is_one_object(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("import", "offices", "o.csv", "--json", "--dry-run", o_csv="code,name\nvp,Văn phòng\n") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["table"], found["created"], found["written"]) == ("offices", 1, False)
    assert found["changes"] == [{"key": "vp", "field": "", "before": None, "after": "Văn phòng, Asia/Ho_Chi_Minh"}]


def test_a_missing_file_is_bad_input(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("import", "offices", "nowhere.csv") == 2
    assert capsys.readouterr().err == "bridgemgr: nowhere.csv cannot be read: No such file or directory.\n"


def test_a_sheet_makes_its_conference_and_a_script_is_not_asked(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("apply", "-f", "city.yaml", city_yaml=CITY) == 0
    capsys.readouterr()
    words = ("import", "sheet", "s.csv", "--conference", "hn9")
    assert run(*words, s_csv="Điểm cầu,Dự kiến\nXã Một,5\n") == 1
    assert "give --title, --office and --starts-at" in capsys.readouterr().err
    assert run(*words, "--title", "Họp", "--office", "vp", "--starts-at", "mai") == 2
    assert "'mai' is no time" in capsys.readouterr().err
    assert run(*words, "--title", "Họp", "--office", "vp", "--starts-at", "02/03/2099 08:00") == 0
    assert capsys.readouterr().out.splitlines() == [
        "conferences: 1 created, 0 changed, 0 unchanged",
        "  + hn9 Họp, 2099-03-02 08:00:00 Asia/Ho_Chi_Minh",
        "sites: 0 created, 0 changed, 1 unchanged",
        "bridges: 1 created, 0 changed, 0 unchanged",
        "  + hn9/x1 5 expected",
        "Written.",
    ]


def test_apply_reads_standard_input(
    run: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO((CITY + "extra: 1\n").encode())))
    assert run("apply", "-f", "-") == 2
    assert capsys.readouterr().err.startswith("standard input:3:1: extra: unknown key")


def test_prune_wants_to_be_told_yes_by_a_script(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("apply", "-f", "city.yaml", city_yaml=CITY + HN1) == 0
    less = CITY + HN1.replace(", x2: 3", "")
    assert run("apply", "-f", "city.yaml", "--prune", city_yaml=less) == 2
    assert "--prune would remove 1 entry. Look with --dry-run, then add --yes." in capsys.readouterr().err
    assert run("apply", "-f", "city.yaml", "--prune", "--yes") == 0
    assert "  - hn1/x2 x2\n" in capsys.readouterr().out
