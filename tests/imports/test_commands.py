"""The commands as they are typed, against a real database."""

import asyncio
import contextlib
import io
import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import asyncpg
import pytest

from bridgemgr.cli.main import _run
from bridgemgr.tables import TABLES, Sheet, write_xlsx

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
    tables += ", attendance, check_ins, receipt_groups, receipt_keys"
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
        "in all:",
        "  conference: hn9, Họp",
        "  office: vp",
        "  starts_at: 02/03/2099 08:00, until 11:00 (Asia/Ho_Chi_Minh)",
        "  sites: 1 matched, 0 created",
        "  bridges: 1 in the sheet, 1 of them new",
        "  expected: 5 delegates",
        "  phones repaired: 0",
        "  rows skipped: none",
        "Written.",
    ]


def test_remarks_of_a_kind_are_one_line(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("import", "offices", "o.csv", o_csv="code,name\nvp,Văn phòng\n") == 0
    capsys.readouterr()
    rows = "".join(f"x{number},Xã {number},91200010{number}\n" for number in range(1, 6))
    assert run("import", "sites", "s.csv", "--office", "vp", "--dry-run", s_csv="code,name,SĐT\n" + rows) == 0
    notes = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  note: ")]
    assert notes == [
        "  note: the 0 that a spreadsheet takes off was put back: 5 times:"
        " s.csv:2: column phone (SĐT): read as 0912000101; s.csv:3: column phone (SĐT): read as 0912000102;"
        " s.csv:4: column phone (SĐT): read as 0912000103; ..."
    ]


def test_a_person_is_asked_before_a_sheet_is_written(run: Run, tmp_path: Path) -> None:
    assert run("apply", "-f", "city.yaml", city_yaml=CITY + HN1, s_csv="Điểm cầu,Dự kiến\nXã Một,5\nXã Ba,7\n") == 0
    command = [sys.executable, "-m", "bridgemgr", "import", "sheet", "s.csv", "--conference", "hn1"]
    ours, theirs = pty.openpty()
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, cwd=tmp_path) as typed:
        os.close(theirs)
        os.write(ours, b"y\n")
        told = _read_all(ours)
    os.close(ours)
    assert typed.returncode == 0, told
    would = "Would be written: sites: 1 created; bridges: 1 created, 1 changed."
    assert told.index("in all:") < told.index(would) < told.index("Write this?") < told.index("Written.")
    assert "Dry run" not in told
    assert told.count("in all:") == 1, "after the answer only what came of it"


def _read_all(terminal: int) -> str:
    chunks = []
    with contextlib.suppress(OSError):  # Linux's answer when the other side has closed its terminal
        while chunk := os.read(terminal, 65536):
            chunks.append(chunk)
    return b"".join(chunks).decode()


@pytest.mark.parametrize("table", ["sites", "conferences", "check-ins", "sheet"])
def test_help_lists_the_columns_in_both_languages(run: Run, capsys: pytest.CaptureFixture[str], table: str) -> None:
    assert run("import", table, "--help") == 0
    told = capsys.readouterr().out
    for column in TABLES[table].columns:
        assert f"  {column.name} ({column.aliases[0]})" in told


async def _mark_as_demo(connect: dict[str, Any], demo: bool) -> None:
    conn = await asyncpg.connect(**connect)
    await conn.execute("UPDATE instance SET demo = $1", demo)
    await conn.close()


def test_who_writes_into_the_sample_city_is_told(
    run: Run, connect: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("import", "offices", "o.csv", o_csv="code,name\nvp,Văn phòng\n") == 0
    assert capsys.readouterr().err == ""
    asyncio.run(_mark_as_demo(connect, demo=True))
    try:
        assert run("import", "offices", "o.csv") == 0
    finally:
        asyncio.run(_mark_as_demo(connect, demo=False))
    told = capsys.readouterr().err
    assert told.startswith("Note: this goes into the sample city's database.")
    assert "BRIDGEMGR_DATA_DIR" in told


def test_a_sheet_that_is_not_there_is_bad_input(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_xlsx(tmp_path / "o.xlsx", [Sheet("Cơ quan", ["code", "name"], [["vp", "Văn phòng"]])])
    assert run("import", "offices", "o.xlsx#Khác") == 2
    assert capsys.readouterr().err == "bridgemgr: o.xlsx has no sheet Khác; its sheets are Cơ quan.\n"


def test_apply_tells_all_that_is_wrong_at_once(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    endpoints = (
        'endpoints:\n  - {target: "icmp://10.0.0.1", site: x1, fall: 0}\n  - {target: "icmp://10.0.0.2", site: x9}\n'
        '  - {target: "gopher://10.0.0.3", site: x1}\n'
    )
    assert run("apply", "-f", "city.yaml", city_yaml=CITY + endpoints) == 2
    told = capsys.readouterr().err.splitlines()
    assert ["city.yaml:4:" in told[0], "city.yaml:5:" in told[1], "city.yaml:6:" in told[2]] == [True] * 3, told
    assert told[3] == "bridgemgr: city.yaml: nothing was written, 3 things are wrong in it."


def test_an_error_of_an_endpoint_is_told_once(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("apply", "-f", "city.yaml", city_yaml=CITY) == 0
    assert run("endpoint", "add", "icmp://10.0.0.1", "--site", "x1") == 0
    capsys.readouterr()
    assert run("endpoint", "set", "icmp://10.0.0.1", "--site", "x1", "--depends-on", "x1 icmp://10.0.0.1") == 2
    [told] = capsys.readouterr().err.splitlines()
    assert told.startswith("bridgemgr: depends_on: ")


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


def test_prune_counts_the_bridges_of_a_conference(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("apply", "-f", "city.yaml", city_yaml=CITY + HN1) == 0
    assert run("apply", "-f", "city.yaml", "--prune", city_yaml=CITY + "conferences: []\n") == 2
    assert "--prune would remove 3 entries." in capsys.readouterr().err
    assert run("apply", "-f", "city.yaml", "--prune", "--dry-run") == 0
    told = capsys.readouterr().out
    assert "  - hn1 Họp, with 2 bridges\n" in told
    assert "bridges: 0 created, 0 changed, 0 unchanged, 2 removed\n" in told


def test_a_line_test_is_entered_with_what_it_found(
    connect: dict[str, Any], run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    """As an operator enters it who was told over the telephone; and from a list kept on paper."""
    files = {
        "o_csv": "code,name\nvp,VP\n",
        "s_csv": "code,name\nba-vi,Ba Vì\n",
        "c_csv": "code,office,title,starts_at,ends_at\nhn-1,vp,T,2026-03-02 08:00,2026-03-02 11:00\n",
        "b_csv": "conference,site,expected_delegates\nhn-1,ba-vi,40\n",
        "k_csv": "event_id,conference,site,kind,observed_at,picture,sound,backup\n"
        "00000000-0000-4000-8000-000000000001,hn-1,ba-vi,test,2026-03-02 07:00,yes,no,\n",
    }
    for table, name in (("offices", "o"), ("sites", "s"), ("conferences", "c"), ("bridges", "b"), ("check-ins", "k")):
        assert run("import", table, f"{name}.csv", **files) == 0
    capsys.readouterr()
    told = ("check-in", "hn-1", "ba-vi", "--source", "phone")
    assert run(*told, "--kind", "test", "--sound", "--no-backup") == 0
    assert capsys.readouterr().out.startswith("accepted: ")
    assert run(*told, "--kind", "ready", "--no-sound") == 2
    assert "sound does not belong to the kind ready" in capsys.readouterr().err
    assert asyncio.run(_line_tests(connect)) == [("paper", True, False, None), ("phone", None, True, False)]
    assert run("check-in", "--help") == 0
    assert "--picture / --no-picture" in capsys.readouterr().out


async def _line_tests(connect: dict[str, Any]) -> list[tuple[Any, ...]]:
    conn = await asyncpg.connect(**connect)
    rows = await conn.fetch("SELECT source, picture, sound, backup FROM check_ins ORDER BY source")
    await conn.close()
    return [tuple(row.values()) for row in rows]
