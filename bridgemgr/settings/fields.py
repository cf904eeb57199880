"""How a setting is declared: its default, what it is for, what it may be, and whether a reload is enough."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo
from pydantic.config import JsonDict
from pydantic_core import PydanticCustomError

CROSSED = "crossed"


class Section(BaseModel):
    """A group of settings, frozen, that takes no key it does not know."""

    # validate_default: a rule between two settings must also hold against the default of the other.
    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, validate_default=True, hide_input_in_errors=True
    )


def setting(
    default: Any,
    text: str,
    *,
    expected: str,
    unit: str | None = None,
    env: str | None = None,
    reload: bool = False,
    **constraints: Any,
) -> Any:
    """Declare a setting.

    Args:
        default: its value where nothing is said.
        text: what it is for, in a sentence or two.
        expected: what it may be, to follow "must be".
        unit: of its value, in the plural; None where there is none.
        env: the environment variable that overrides it.
        reload: whether SIGHUP or /-/reload takes a change; otherwise it wants a restart.
        constraints: handed to pydantic's Field.
    """
    extra: JsonDict = {"expected": expected, "unit": unit, "env": env, "reload": reload}
    return Field(default, description=text, json_schema_extra=extra, **constraints)


def whole(default: int, text: str, *, low: int, high: int, unit: str | None = None, reload: bool = False) -> Any:
    """Declare a setting that is a whole number, both bounds included."""
    expected = f"a whole number from {low} to {high}"
    return setting(default, text, expected=expected, unit=unit, reload=reload, ge=low, le=high)


def seconds(default: float, text: str, *, low: float, high: float, reload: bool = False) -> Any:
    """Declare a setting that is a span of time in seconds, both bounds included."""
    expected = f"a number from {low:g} to {high:g}"
    return setting(default, text, expected=expected, unit="seconds", reload=reload, ge=low, le=high)


def not_below(value: float, info: ValidationInfo, other: str) -> None:
    """Refuse ``value`` where it is below the setting ``other``, declared before it in the same section."""
    least = info.data.get(other)
    if least is not None and value < least:
        raise PydanticCustomError(
            CROSSED,
            "{name} must be at least {other}; they are {value} and {least}; raise the one or lower the other",
            {"name": info.field_name, "other": other, "value": f"{value:g}", "least": f"{least:g}"},
        )


def needed(value: object, info: ValidationInfo, other: str, remedy: str) -> None:
    """Refuse the want of a setting that ``other``, declared before it in the same section, cannot do without."""
    if value is None and info.data.get(other) is not None:
        raise PydanticCustomError(
            CROSSED,
            "{other} needs {name} beside it; {remedy}",
            {"name": info.field_name, "other": other, "remedy": remedy},
        )
