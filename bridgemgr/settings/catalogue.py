"""Every setting as a list, read from the model, for whoever shows, compares or names settings."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from bridgemgr.settings.model import Settings
from bridgemgr.settings.places import readable


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting.

    Attributes:
        path: its section and name, or its name alone at the top level.
        text: what it is for.
        expected: what it may be, to follow "must be".
        unit: of its value, in the plural; None where there is none.
        env: the environment variable that overrides it, if any.
        reload: whether a reload takes a change; otherwise it wants a restart.
        default: its value where nothing is said.
    """

    path: tuple[str, ...]
    text: str
    expected: str
    unit: str | None
    env: str | None
    reload: bool
    default: Any

    @property
    def name(self) -> str:
        """Its path as people write it: ``database.pool_max``."""
        return ".".join(self.path)

    def value(self, settings: Settings) -> Any:
        """Its value in ``settings``."""
        found: Any = settings
        for step in self.path:
            found = getattr(found, step)
        return found


@dataclass(frozen=True, slots=True)
class Change:
    """A setting whose value differs between two Settings.

    Attributes:
        setting: which one; ``setting.reload`` says whether a reload is enough.
        before: the one value as plain data (text, number, list of text), or ``(hidden)`` for a secret.
        after: the other value, likewise.
    """

    setting: Setting
    before: Any
    after: Any


def _settings_of(model: type[BaseModel], above: tuple[str, ...], defaults: BaseModel) -> Iterator[Setting]:
    for name, field in model.model_fields.items():
        value = getattr(defaults, name)
        if isinstance(value, BaseModel):
            yield from _settings_of(type(value), (*above, name), value)
        else:
            yield _setting((*above, name), field, value)


def _setting(path: tuple[str, ...], field: FieldInfo, default: Any) -> Setting:
    declared = field.json_schema_extra
    assert isinstance(declared, dict)
    facts: dict[str, Any] = dict(declared)
    return Setting(path=path, text=field.description or "", default=default, **facts)


CATALOGUE: tuple[Setting, ...] = tuple(_settings_of(Settings, (), Settings()))
SECTIONS: dict[str, tuple[str, ...]] = {
    section: tuple(one.path[1] for one in CATALOGUE if one.path[0] == section)
    for section in dict.fromkeys(one.path[0] for one in CATALOGUE if len(one.path) > 1)
}


def changes(before: Settings, after: Settings) -> list[Change]:
    """The settings that differ, in the order of the example file; no secret is in it."""
    pairs = ((one, one.value(before), one.value(after)) for one in CATALOGUE)
    return [Change(one, plain(old), plain(new)) for one, old, new in pairs if old != new]


def plain(value: Any) -> Any:
    """A setting's value as JSON and YAML can hold it, a secret as ``(hidden)``."""
    if isinstance(value, SecretStr):
        return "(hidden)"
    if isinstance(value, Path):
        return readable(value)
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
