"""The event-stream hub: hands rendered bytes to open streams by topic. It knows topics and bytes only."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

_QUEUE_MAX = 64


class Stream:
    """One open stream; when its reader falls behind it is told to fetch a snapshot instead."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[bytes] = asyncio.Queue(_QUEUE_MAX)
        self.lagging = False

    def put(self, data: bytes) -> None:
        """Queue data, or mark the stream as lagging when its queue is full."""
        try:
            self._queue.put_nowait(data)
        except asyncio.QueueFull:
            self.lagging = True

    async def get(self, timeout: float) -> bytes | None:
        """The next data; None after ``timeout`` seconds of silence."""
        try:
            async with asyncio.timeout(timeout):
                return await self._queue.get()
        except TimeoutError:
            return None

    @property
    def drained(self) -> bool:
        """Whether everything queued was taken."""
        return self._queue.empty()


class Hub:
    """Topics and the streams that follow them."""

    def __init__(self) -> None:
        self._streams: defaultdict[str, set[Stream]] = defaultdict(set)

    @contextmanager
    def follow(self, topic: str) -> Iterator[Stream]:
        """A stream that gets what is published on ``topic`` while the context lasts."""
        stream = Stream()
        self._streams[topic].add(stream)
        try:
            yield stream
        finally:
            self._streams[topic].discard(stream)
            if not self._streams[topic]:
                del self._streams[topic]

    def publish(self, topic: str, data: bytes) -> None:
        """Give the same bytes to every stream of the topic."""
        for stream in self._streams.get(topic, ()):
            stream.put(data)

    def topics(self) -> list[str]:
        """The topics that somebody follows now."""
        return list(self._streams)
