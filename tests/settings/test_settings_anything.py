"""Whatever settings are given, they load or are refused with a message."""

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridgemgr.errors import Invalid
from bridgemgr.settings import CATALOGUE, Settings
from tests.settings.settings_files import loaded

_NAMES = sorted({step for one in CATALOGUE for step in one.path} | {"<<", "", "levl"})
_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.dates()
    | st.sampled_from(["on", "12:30", "postgresql://u:p@h/d", "10.0.0.0/8", "[::1]:1", "info"])
)
_TREES = st.recursive(
    _LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(_NAMES) | st.text(max_size=5) | st.integers(), inner, max_size=6)
    ),
    max_leaves=20,
)
_SCRAPS = st.lists(
    st.sampled_from(
        [*_NAMES, ": ", ":", "\n", "  ", "- ", "? ", "[", "]", "{", "}", ",", "&a", "*a", "!t ", "!!int ", "'", '"',
         "\\U", "F" * 8, "|", ">", "#", "%YAML ", "9" * 5000, "1.1", "---", "...", "\t", "\ufeff", "\x85", "\x00",
         "1e999", "~", "@", "`"]
    ),
    max_size=40,
).map("".join)  # fmt: skip
_UNBROKEN = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=300)


def only_invalid(data: bytes, **environ: str) -> None:
    try:
        found = loaded(data, **environ)
    except Invalid as error:
        lines = [str(problem) for problem in error.problems]
        assert lines
        assert all(line.isprintable() and line.startswith(("given.yaml:", "environment ")) for line in lines)
    else:
        assert isinstance(found, Settings)


@_UNBROKEN
@given(st.binary(max_size=200))
def test_any_bytes_load_or_are_refused(data: bytes) -> None:
    only_invalid(data)


@_UNBROKEN
@given(_SCRAPS)
def test_any_scraps_of_yaml_load_or_are_refused(text: str) -> None:
    only_invalid(text.encode())


@_UNBROKEN
@given(_TREES)
def test_any_tree_loads_or_is_refused(tree: object) -> None:
    only_invalid(yaml.safe_dump(tree).encode())


@_UNBROKEN
@given(
    st.dictionaries(
        st.sampled_from([one.env for one in CATALOGUE if one.env]),
        st.text(st.characters(exclude_characters="\0", codec=None), max_size=40)
        | st.from_regex(r"[a-z]{0,5}://[\[\]:@/?#a.,0-9]{0,20}|\[?[0-9:.]{0,9}\]?:[0-9]{0,6}", fullmatch=True),
    )
)
def test_any_environment_loads_or_is_refused(environ: dict[str, str]) -> None:
    only_invalid(b"", **environ)
