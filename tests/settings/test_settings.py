"""What settings are taken, where they come from, and that no secret gets out."""

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from bridgemgr.errors import Invalid
from bridgemgr.settings import Address, DatabaseSettings, Settings, changes, default_data_dir, load_settings
from bridgemgr.settings.yaml import scalar
from tests.settings.settings_files import DSN, SECRET, loaded, refused


def test_yaml_1_1_words_stay_text_and_numbers_are_decimal() -> None:
    texts = ("on", "off", "yes", "no", "y", "12:30", "010", "0x1F", "0o17", "1_000", ".inf", ".nan", ".", "e5")
    assert [scalar(text) for text in texts] == list(texts)
    assert [scalar(text) for text in ("", "~", "null", "true", "False")] == [None, None, None, True, False]
    assert [scalar(text) for text in ("0", "-7", "+7", "1.5", ".5", "5.", "1e3")] == [0, -7, 7, 1.5, 0.5, 5.0, 1e3]


def test_an_empty_file_an_empty_section_and_a_byte_order_mark_are_the_defaults() -> None:
    for text in ("", "# nothing\n", "---\n", "log:\nprobes: ~\n", "\ufeffbacklog: 2048\n"):
        assert changes(Settings(), loaded(text)) == []


def test_addresses_are_read_with_and_without_brackets() -> None:
    assert loaded("listen: '[::1]:0'").listen == Address("::1", 0)
    assert str(loaded("listen: '[::1]:0'").listen) == "[::1]:0"
    assert loaded("listen: bridges.example.org:80").listen == Address("bridges.example.org", 80)


@pytest.mark.parametrize(
    "listen",
    ["localhost", ":80", "::1:80", "[127.0.0.1]:80", "[::1]", "a b:80", "h:-1", "h:80 ", "h:8٠", "h:080808", "-h:80"],
)
def test_an_address_that_is_none_is_refused(listen: str) -> None:
    assert refused("", BRIDGEMGR_LISTEN=listen)[0].startswith("environment BRIDGEMGR_LISTEN: must be host:port")


@pytest.mark.parametrize(
    "dsn",
    [
        DSN,
        "postgres://db.example.org",
        "postgresql:///bridges?host=/run/postgresql",
        "postgresql://[2001:db8::1]:5432,[2001:db8::2]/bridges",
        "postgresql://bridge:p%40ss@db.example.org/bridges?sslmode=verify-full&target_session_attrs=primary",
    ],
)
def test_a_database_url_is_taken_as_it_stands(dsn: str) -> None:
    secret = loaded(f"database:\n  dsn: '{dsn}'\n").database.dsn
    assert secret is not None
    assert secret.get_secret_value() == dsn


@pytest.mark.parametrize(
    "dsn",
    [
        f"host=db password={SECRET}",
        f"postgresql://u:{SECRET}@x@db/b",
        f"postgresql://u:{SECRET}#1@db/b",
        f"postgresql://u:{SECRET}@db:0/b",
        f"postgresql://u:{SECRET}@db:65536/b",
        f"postgresql://u:{SECRET}@db/b c",
        f"postgresql://u:{SECRET}@db/\udcff",
    ],
)
def test_a_database_url_that_is_none_is_refused_without_being_shown(dsn: str) -> None:
    (line,) = refused("", BRIDGEMGR_DATABASE_DSN=dsn)
    assert line.startswith("environment BRIDGEMGR_DATABASE_DSN: must be a URL such as postgresql://")
    assert SECRET not in line


@pytest.mark.parametrize(
    "url",
    [
        "bridges.example.org",
        "https://",
        "https://u@h",
        "https://h?q",
        "https://h:99999",
        "https://h/a b",
        "http://[::1",
    ],
)
def test_a_public_address_that_is_none_is_refused(url: str) -> None:
    assert refused("", BRIDGEMGR_PUBLIC_URL=url)[0].startswith("environment BRIDGEMGR_PUBLIC_URL: must be an address")


@pytest.mark.parametrize("zone", ["Asia", "../etc/passwd", "/etc/localtime", "Asia/Ho_Chi_Minh\\0", "x" * 5000, ""])
def test_a_time_zone_that_is_none_is_refused(zone: str) -> None:
    assert "time_zone: must be an IANA time zone" in refused(f'time_zone: "{zone}"')[0]


def test_what_links_carry_follows_from_where_it_listens_unless_it_is_set() -> None:
    assert Settings().base_url() == "http://127.0.0.1:8080"
    assert loaded("listen: '[::]:0'").base_url(4711) == "http://[::1]:4711"
    assert loaded("public_url: https://h.example.org/b/").base_url(4711) == "https://h.example.org/b"


def test_what_links_for_sites_carry_follows_from_their_listener_unless_it_is_set() -> None:
    own = "sites:\n  listen: 0.0.0.0:8443\n  certificate: c.pem\n  key: k.pem\n"
    assert Settings().site_url() == "http://127.0.0.1:8080"
    assert loaded("public_url: https://h.example.org/b/").site_url() == "https://h.example.org/b"
    assert loaded(own).site_url() == "https://127.0.0.1:8443"
    assert loaded(own, BRIDGEMGR_PUBLIC_URL="https://h.example.org").site_url(4711) == "https://127.0.0.1:4711"
    found = loaded(f"{own}  public_url: https://sites.example.org/\n")
    assert (found.site_url(4711), found.site_host) == ("https://sites.example.org", "sites.example.org")
    assert found.base_url() == "http://127.0.0.1:8080"


def test_paths_of_certificates_begin_where_the_process_does(tmp_path: Path) -> None:
    found = loaded("sites:\n  certificate: c.pem\n  key: /k.pem\n").sites
    assert (found.certificate, found.key) == (tmp_path / "c.pem", Path("/k.pem"))


def test_the_default_zone_is_seven_hours_ahead() -> None:
    now = datetime(2026, 1, 1, tzinfo=ZoneInfo(Settings().time_zone))
    assert now.isoformat() == "2026-01-01T00:00:00+07:00"


def write(path: Path, backlog: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"backlog: {backlog}\n")


def test_the_file_is_looked_for_in_order(tmp_path: Path) -> None:
    home, xdg = tmp_path / "home", tmp_path / "xdg"
    environ = {"HOME": str(home)}
    assert load_settings(None, environ).source == "defaults"
    write(home / ".config/bridgemgr/bridgemgr.yaml", 101)
    assert load_settings(None, environ).backlog == 101
    write(xdg / "bridgemgr/bridgemgr.yaml", 102)
    environ["XDG_CONFIG_HOME"] = str(xdg)
    assert load_settings(None, environ).backlog == 102
    write(Path("config/bridgemgr.yaml"), 103)
    found = load_settings(None, environ)
    assert (found.backlog, found.source) == (103, "config/bridgemgr.yaml")
    write(tmp_path / "named.yaml", 104)
    environ["BRIDGEMGR_CONFIG"] = "named.yaml"
    assert load_settings(None, environ).backlog == 104
    write(tmp_path / "given.yaml", 105)
    assert load_settings(Path("given.yaml"), environ).backlog == 105


def test_a_relative_xdg_directory_is_ignored(tmp_path: Path) -> None:
    write(Path("relative/bridgemgr/bridgemgr.yaml"), 100)
    environ = {"HOME": str(tmp_path / "home"), "XDG_CONFIG_HOME": "relative"}
    assert load_settings(None, environ).source == "defaults"


@pytest.mark.parametrize("name", ["missing.yaml", "missing/bridgemgr.yaml", ".", "nul\0.yaml"])
def test_a_named_file_that_cannot_be_read_is_an_error(name: str) -> None:
    for path, environ in ((Path(name), {}), (None, {"BRIDGEMGR_CONFIG": name})):
        with pytest.raises(Invalid) as caught:
            load_settings(path, environ)
        assert caught.value.problems[0].where == name


def test_the_environment_overrides_the_file_and_empty_is_not_set() -> None:
    file = f"listen: 127.0.0.1:1\npublic_url: http://a\ndata_dir: /a\ndatabase:\n  dsn: {DSN}\n  pool_max: 7\n"
    found = loaded(
        file,
        BRIDGEMGR_LISTEN="127.0.0.1:2",
        BRIDGEMGR_PUBLIC_URL="http://b",
        BRIDGEMGR_DATA_DIR="/b",
        BRIDGEMGR_DATABASE_DSN="postgresql://other/b",
    )
    assert (found.listen.port, found.public_url, found.data_dir) == (2, "http://b", Path("/b"))
    assert found.database.dsn is not None
    assert found.database.dsn.get_secret_value() == "postgresql://other/b"
    assert found.database.pool_max == 7
    assert found.source.startswith("given.yaml, environment BRIDGEMGR_LISTEN, environment BRIDGEMGR_PUBLIC_URL")
    assert loaded(file, BRIDGEMGR_LISTEN="").listen.port == 1


def test_data_and_keys_have_their_places(tmp_path: Path) -> None:
    home = {"HOME": "/home/lan"}
    assert default_data_dir(home, root=True) == Path("/var/lib/bridgemgr")
    assert default_data_dir(home, root=False) == Path("/home/lan/.local/share/bridgemgr")
    assert default_data_dir({**home, "XDG_DATA_HOME": "/data"}, root=False) == Path("/data/bridgemgr")
    assert default_data_dir({**home, "XDG_DATA_HOME": "data"}, root=False).is_relative_to("/home/lan")
    assert load_settings(None, {"XDG_DATA_HOME": "/data"}).data_path == default_data_dir({"XDG_DATA_HOME": "/data"})
    assert loaded("", BRIDGEMGR_DATA_DIR="here").data_path == tmp_path / "here"
    assert loaded("data_dir: /srv/b").keys_path == Path("/srv/b/keys")
    assert loaded("data_dir: /srv/b\nkeys_dir: /srv/k").keys_path == Path("/srv/k")


def test_a_password_is_in_no_representation() -> None:
    found = loaded(f"database:\n  dsn: {DSN}\n")
    differences = changes(Settings(), found)
    assert [change.after for change in differences] == ["(hidden)"]
    for text in (repr(found), str(found), str(found.model_dump()), found.model_dump_json(), repr(differences)):
        assert SECRET not in text


def test_an_error_carries_no_password_not_even_in_what_it_was_raised_from() -> None:
    with pytest.raises(Invalid) as caught:
        loaded(f"backlog: x\ndatabase:\n  dsn: {DSN}\n  pol: {DSN}\nlog: {DSN}\n")
    error: BaseException | None = caught.value
    assert error is not None
    assert error.__context__ is None
    assert error.__cause__ is None
    assert SECRET not in f"{caught.value.message}{caught.value.problems}"
    with pytest.raises(ValidationError) as raw:
        DatabaseSettings(dsn=f"{DSN} {SECRET}")
    assert SECRET not in str(raw.value)
