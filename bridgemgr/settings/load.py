"""Finds the settings file, reads it and the environment, and names every problem at once."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from bridgemgr.errors import Invalid, Malformed, Problem
from bridgemgr.settings.catalogue import CATALOGUE, SECTIONS
from bridgemgr.settings.model import Settings
from bridgemgr.settings.places import CONFIG_VARIABLE, HOME_VARIABLES, default_files, readable
from bridgemgr.settings.problems import Sources, kind, problems
from bridgemgr.settings.yaml import Document, Fault, Loc, Mark, read

FILE_MAX = 1 << 20
_DEFAULTS = "defaults"


def load_settings(path: Path | None, environ: Mapping[str, str]) -> Settings:
    """Load the settings in force.

    The file is ``path``, else the one BRIDGEMGR_CONFIG names, else ``config/bridgemgr.yaml``, else
    ``bridgemgr/bridgemgr.yaml`` in the user's configuration directory, else there is none. A variable of the
    environment overrides the file; an empty one counts as not set.

    Args:
        path: the file named on the command line, if any.
        environ: the environment, such as ``os.environ``.

    Raises:
        Malformed: the file is not one YAML document in UTF-8 that can be read.
        Invalid: a named file is missing or unreadable, or a setting is unknown or not acceptable.
            ``problems`` has one entry for everything wrong, placed ``file:line:column: setting``.
    """
    label, data = _find(path, environ)
    document = Document() if data is None else read(data)
    sources = Sources(label, document, _given(environ))
    faults = list(document.faults)
    values = _values(document, environ, sources, faults)
    settings, errors = _validate(values)
    if settings is None or faults:
        found = problems(faults, errors, sources)
        error = Malformed if document.broken else Invalid
        raise error(_summary(len(found)), problems=found)
    settings._source = ", ".join([label, *(f"environment {name}" for name in sources.environ.values())])
    settings._environ = {name: environ[name] for name in HOME_VARIABLES if name in environ}
    return settings


def _summary(count: int) -> str:
    return "The settings have a problem." if count == 1 else f"The settings have {count} problems."


def _find(path: Path | None, environ: Mapping[str, str]) -> tuple[str, bytes | None]:
    """The label and the bytes of the settings file; no bytes where there is no file."""
    if path is None and environ.get(CONFIG_VARIABLE):
        path = Path(environ[CONFIG_VARIABLE])
    if path is not None:
        data = _read_file(path)
        if data is None:
            raise _unusable(path, "there is no such file; name one that exists, or none for the defaults")
        return readable(path), data
    for candidate in default_files(environ):
        data = _read_file(candidate)
        if data is not None:
            return readable(candidate), data
    return _DEFAULTS, None


def _read_file(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            data = file.read(FILE_MAX + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        reason = (error.strerror or "unreadable").lower()
        raise _unusable(path, f"cannot be read: {reason}; make it a file that this user may read") from None
    except ValueError:
        raise _unusable(path, "no file can have this name; name one that exists") from None
    if len(data) > FILE_MAX:
        raise _unusable(path, "is larger than 1 MiB; settings need a few kB, so this is some other file")
    return data


def _unusable(path: Path, message: str) -> Invalid:
    return Invalid("The settings file cannot be used.", problems=[Problem(readable(path), message)])


def _given(environ: Mapping[str, str]) -> dict[Loc, str]:
    return {one.path: one.env for one in CATALOGUE if one.env and environ.get(one.env)}


def _values(document: Document, environ: Mapping[str, str], sources: Sources, faults: list[Fault]) -> dict[str, object]:
    """The file's values with the environment's laid over them."""
    top = document.value
    if top is None or not isinstance(top, dict):
        if top is not None:
            message = f"must be a mapping of settings, such as 'listen: 127.0.0.1:8080'; it is {kind(top)}"
            faults.append(Fault(document.values.get((), Mark(1, 1)), (), message))
        top = {}
    # A section whose every line is commented out is empty, and means its defaults.
    values = {key: value for key, value in top.items() if not (value is None and key in SECTIONS)}
    for loc, variable in sources.environ.items():
        _lay_over(values, loc, environ[variable])
    return values


def _lay_over(values: dict[str, object], loc: Loc, value: str) -> None:
    *sections, name = map(str, loc)
    for section in sections:
        inner = values.get(section, {})
        if not isinstance(inner, dict):
            return  # the section itself is reported
        values[section] = values = dict(inner)
    values[name] = value


def _validate(values: dict[str, object]) -> tuple[Settings | None, list[ErrorDetails]]:
    # The ValidationError holds the input, passwords too: it must not become anybody's __context__.
    try:
        return Settings.model_validate(values), []
    except ValidationError as error:
        return None, error.errors(include_url=False)
