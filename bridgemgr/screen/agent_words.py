"""What a site's agents said of themselves and of their line, in words, ready for the page of its bridge."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from markupsafe import Markup

from bridgemgr.screen.language import N_, Reader


def row(reader: Reader, beat: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """An agent's last heartbeat as the template shows it.

    Args:
        beat: name, received_at, waiting, oldest_at; round_trip, jitter and clock_offset in seconds, loss 0 to 1.
    """
    said = [*_line(reader, beat), *_clock(reader, beat["clock_offset"]), _queue(reader, beat, now)]
    return {"name": beat["name"], "received_at": beat["received_at"], "said": said}


def _line(reader: Reader, beat: Mapping[str, Any]) -> list[Markup]:
    if beat["loss"] is None:
        return []  # it has only just begun to measure
    if beat["round_trip"] is None:
        return [reader.say(N_("no answer to its last requests"))]
    said = [reader.say(N_("round trip {time} ms"), time=_milliseconds(reader, beat["round_trip"]))]
    if beat["jitter"] is not None:
        said.append(reader.say(N_("jitter {time} ms"), time=_milliseconds(reader, beat["jitter"])))
    return [*said, reader.say(N_("loss {share}"), share=reader.percent(beat["loss"]))]


def _milliseconds(reader: Reader, seconds: float) -> str:
    return reader.number(round(seconds * 1000))


def _clock(reader: Reader, offset: float | None) -> list[Markup]:
    if offset is None:
        return []
    seconds = round(offset)
    if seconds == 0:
        return [reader.say(N_("its clock is right"))]
    text = N_("its clock is {seconds} s fast") if seconds > 0 else N_("its clock is {seconds} s slow")
    return [reader.say(text, seconds=reader.number(abs(seconds)))]


def _queue(reader: Reader, beat: Mapping[str, Any], now: datetime) -> Markup:
    if beat["waiting"] == 0:
        return reader.say(N_("nothing waits there to be sent"))
    count = reader.number(beat["waiting"])
    if beat["oldest_at"] is None:
        return reader.say(N_("events that wait there: {count}"), count=count)
    oldest = reader.when(beat["oldest_at"], now)
    return reader.say(N_("events that wait there: {count}, the oldest of {time}"), count=count, time=oldest)
