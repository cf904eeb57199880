"""The settings of what is kept of the lines' past."""

from pydantic import ValidationInfo, field_validator

from bridgemgr.settings.fields import Section, not_below, whole


class HistorySettings(Section):
    """What is kept of the lines' past."""

    minutes_keep_days: int = whole(
        93,
        "How long the figures of each minute inside a conference's window are kept.",
        low=1,
        high=3660,
        unit="days",
        reload=True,
    )
    hours_keep_days: int = whole(
        1100,
        "How long the figures of each hour and the changes of state are kept; availability can be told for as long.",
        low=1,
        high=3660,
        unit="days",
        reload=True,
    )

    @field_validator("hours_keep_days")
    @classmethod
    def _holds_minutes(cls, value: int, info: ValidationInfo) -> int:
        not_below(value, info, "minutes_keep_days")
        return value
