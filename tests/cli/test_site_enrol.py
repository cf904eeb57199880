"""Enrolling one site, and every site of a conference with sheets to print."""

import asyncio
import csv
import json
import re
import stat
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from bridgemgr.accounts.credentials import parse
from tests.imports.test_commands import CITY, HN1, Run, run

__all__ = ["run"]

FILES = ("hn1-sheets.html", "hn1-sheets.csv")


@pytest.fixture
def city(run: Run) -> Run:
    assert run("apply", "-f", "city.yaml", city_yaml=CITY + HN1) == 0
    return run


def query(connect: dict[str, Any], sql: str) -> Any:
    async def work() -> Any:
        conn = await asyncpg.connect(**connect)
        try:
            return await conn.fetchval(sql)
        finally:
            await conn.close()

    return asyncio.run(work())


@pytest.fixture(autouse=True)
def emptied(connect: dict[str, Any], city: Run) -> Any:
    yield
    query(connect, "DELETE FROM enrolments")
    query(connect, "UPDATE instance SET keys_name = NULL")


def test_one_site_prints_its_code_alone(city: Run, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert city("site", "enrol", "x1") == 0
    said = capsys.readouterr()
    code = said.out.strip()
    credential = parse(code)
    assert credential is not None
    assert credential.kind == "enrol"
    assert said.out == f"{code}\n"
    assert said.err.startswith(f"Link: http://127.0.0.1:8080/s/#{code}\nThat is plain HTTP")


def test_a_conference_gets_sheets_and_a_table(
    city: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], connect: dict[str, Any]
) -> None:
    capsys.readouterr()
    assert city("site", "enrol", "--conference", "hn1", "--out", "sheets") == 0
    said = capsys.readouterr()
    assert said.out == (
        "2 sheets with 2 links: sheets/hn1-sheets.html, sheets/hn1-sheets.csv\n"
        "The links lead to http://127.0.0.1:8080/s/\n"
    )
    assert "That is plain HTTP" in said.err
    assert "No telephone number is known of Văn phòng" in said.err
    assert "The links run out before the conference ends" in said.err
    page, table = (tmp_path / "sheets" / name for name in FILES)
    assert {path.name for path in (tmp_path / "sheets").iterdir()} == set(FILES)
    assert [stat.S_IMODE(path.stat().st_mode) for path in (page, table)] == [0o600, 0o600]
    rows = list(csv.DictReader(table.read_text(encoding="utf-8-sig").splitlines()))
    assert [row["site"] for row in rows] == ["x2", "x1"], "as they stand in the sheets: by name"
    text = page.read_text(encoding="utf-8")
    assert text.count('<section class="sheet">') == 2
    assert "Xã Một" in text
    assert "Không có mạng: gọi điện" in text
    for row in rows:
        assert row["link"] in text
        assert f"{row['call_code'][:3]} {row['call_code'][3:]}" in text
    assert not re.search(r'(?:src|href)="', text)
    assert query(connect, "SELECT count(*) FROM enrolments") == 2
    actor = query(connect, "SELECT min(actor) FROM audit_events WHERE action = 'enrolment.create'")
    assert actor.startswith("cli:")


def test_files_of_an_earlier_run_are_kept_and_no_link_is_made(
    city: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], connect: dict[str, Any]
) -> None:
    (tmp_path / FILES[1]).write_text("mine")
    capsys.readouterr()
    assert city("site", "enrol", "--conference", "hn1") == 1
    assert "hn1-sheets.csv exist already. Move them away, or repeat it with --force." in capsys.readouterr().err
    assert (tmp_path / FILES[1]).read_text() == "mine"
    assert not (tmp_path / FILES[0]).exists()
    assert query(connect, "SELECT count(*) FROM enrolments") == 0
    assert city("site", "enrol", "--conference", "hn1", "--force", "--language", "en", "--site", "x1") == 0
    assert "1 sheets with 1 links" in capsys.readouterr().out
    assert "No network: call" in (tmp_path / FILES[0]).read_text()
    assert stat.S_IMODE((tmp_path / FILES[1]).stat().st_mode) == 0o600


def test_where_nothing_can_be_written_nothing_is_made(
    city: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], connect: dict[str, Any]
) -> None:
    (tmp_path / "file").write_text("")
    assert city("site", "enrol", "--conference", "hn1", "--out", "file/below") == 2
    assert city("site", "enrol", "--conference", "hn1", "--out", "/proc/nowhere") == 2
    assert "cannot be written" in capsys.readouterr().err
    assert query(connect, "SELECT count(*) FROM enrolments") == 0


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ((), 2, "Name either one site, or --conference CODE."),
        (("x1", "--conference", "hn1"), 2, "Name either one site"),
        (("x1", "--language", "en"), 2, "Only --days goes with a single site"),
        (("--conference", "nope"), 1, "There is no conference with the code nope."),
        (("--conference", "../up"), 2, "is no code"),
        (("--conference", "hn1", "--site", "x9"), 2, "x9 is no bridge of the conference hn1"),
        (("--conference", "hn1", "--site", "x 9"), 2, "is no code"),
        (("--conference", "hn1", "--days", "0"), 2, "0 is not in the range"),
        (("nope",), 1, "There is no site with the code nope."),
    ],
)
def test_what_cannot_be_done_is_said_and_leaves_nothing(
    city: Run,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    connect: dict[str, Any],
    words: tuple[str, ...],
    status: int,
    said: str,
) -> None:
    (tmp_path / "data").mkdir(exist_ok=True)
    before = set(tmp_path.iterdir())
    capsys.readouterr()
    assert city("site", "enrol", *words) == status
    assert said in capsys.readouterr().err
    assert set(tmp_path.iterdir()) == before
    assert query(connect, "SELECT count(*) FROM enrolments") == 0


def test_a_sheet_that_travels_stays_good_unless_told(
    city: Run, capsys: pytest.CaptureFixture[str], connect: dict[str, Any]
) -> None:
    good = "SELECT count(*) FROM enrolments WHERE expires_at > now()"
    assert city("site", "enrol", "--conference", "hn1", "--days", "30") == 0
    assert city("site", "enrol", "--conference", "hn1", "--days", "30", "--force") == 0
    assert query(connect, good) == 4
    capsys.readouterr()
    assert city("site", "enrol", "--conference", "hn1", "--days", "30", "--force", "--revoke-earlier", "--json") == 0
    made = json.loads(capsys.readouterr().out)
    assert made["revoked"] == 4
    assert made["files"] == list(FILES)
    assert made["items"][0].keys() >= {"site", "link", "call_code", "expires_at"}
    assert query(connect, good) == 2
