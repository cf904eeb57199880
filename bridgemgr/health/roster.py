"""Every endpoint that somebody is to probe, kept in step with the database by reading what has changed.

The database is asked for a print of each slice of endpoints, and for the conferences that matter now; only slices
whose print is another are read. So thirty thousand endpoints cost what a thousand did, and the event loop nothing.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from bridgemgr.db import Connection
from bridgemgr.health import store
from bridgemgr.health.leases import shard_of
from bridgemgr.health.model import Endpoint, is_near
from bridgemgr.health.store import NO_WINDOW, Window

_AT_ONCE = 256


def batches(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    """The ids, as many at a time as may be handled before others on the event loop get their turn."""
    return (ids[at : at + _AT_ONCE] for at in range(0, len(ids), _AT_ONCE))


class Roster:
    """What is probed by this process and by others.

    Attributes:
        endpoints: by id.
        changed: ids of those that are new, gone or otherwise since somebody cleared it.
    """

    def __init__(self) -> None:
        self.endpoints: dict[int, Endpoint] = {}
        self.changed: set[int] = set()
        self._prints: dict[int, int] = {}
        self._slices: dict[int, set[int]] = {}
        self._sites: defaultdict[int | None, set[int]] = defaultdict(set)
        self._shards: defaultdict[int, set[int]] = defaultdict(set)
        self._windows: dict[int | None, Window] = {}

    async def follow(self, conn: Connection, now: datetime) -> None:
        """Read what has changed."""
        prints = await store.prints(conn, now)
        windows = await store.windows(conn, now)
        await self._apply_windows(windows)
        for each in self._prints.keys() - prints.keys():
            await self._take_over(each, [])
            del self._prints[each]
        for each, told in prints.items():
            if self._prints.get(each) != told:
                known = {
                    self.endpoints[key].target.text: self.endpoints[key].target for key in self._slices.get(each, ())
                }
                await self._take_over(each, await store.endpoints(conn, now, known, each, windows))
                self._prints[each] = told

    async def _apply_windows(self, windows: dict[int | None, Window]) -> None:
        before, self._windows = self._windows, windows
        sites = [
            site
            for site in before.keys() | windows.keys()
            if before.get(site, NO_WINDOW) != windows.get(site, NO_WINDOW)
        ]
        for some in batches([key for site in sites for key in self._sites.get(site, ())]):
            for known in map(self.endpoints.__getitem__, some):
                window = windows.get(known.site_id, NO_WINDOW)
                self._put(replace(known, starts_at=window.starts_at, live=window.live))
            await asyncio.sleep(0)

    async def _take_over(self, number: int, found: list[Endpoint]) -> None:
        """What a slice has now."""
        wanted = {endpoint.id for endpoint in found}
        for key in self._slices.get(number, set()) - wanted:
            self._sites[self.endpoints.pop(key).site_id].discard(key)
            self._shards[shard_of(key)].discard(key)
            self.changed.add(key)
        self._slices[number] = wanted
        for endpoint in found:
            if self.endpoints.get(endpoint.id) != endpoint:
                self._put(endpoint)
        await asyncio.sleep(0)

    def _put(self, endpoint: Endpoint) -> None:
        known = self.endpoints.get(endpoint.id)
        if known is not None and known.site_id != endpoint.site_id:
            self._sites[known.site_id].discard(endpoint.id)
        self.endpoints[endpoint.id] = endpoint
        self._sites[endpoint.site_id].add(endpoint.id)
        self._shards[shard_of(endpoint.id)].add(endpoint.id)
        self.changed.add(endpoint.id)

    def of_shards(self, shards: Iterable[int]) -> list[int]:
        """Ids of the endpoints of these shards."""
        return [key for shard in shards for key in self._shards.get(shard, ())]

    def approaching(self) -> Iterator[int]:
        """Ids of those whose conference is ahead: they are probed the oftener the nearer it comes."""
        for site, window in self._windows.items():
            if window.starts_at is not None and not window.live:
                yield from self._sites.get(site, ())

    def near(self, now: datetime) -> set[int]:
        """Ids of those whose conference is live, or starts within the hour, or should have started."""
        sites = [site for site, window in self._windows.items() if is_near(now, window.starts_at, window.live)]
        return set().union(*(self._sites.get(site, set()) for site in sites))
