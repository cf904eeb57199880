"""The two pages that Prometheus reads: the service with its conferences, and the endpoints."""

import asyncio
import logging
import zlib
from collections.abc import Callable, Iterable, Iterator

from aiohttp import web
from prometheus_client import disable_created_metrics
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from bridgemgr.db import Database
from bridgemgr.errors import Unavailable
from bridgemgr.health.scheduler import Scheduler
from bridgemgr.metrics import endpoints
from bridgemgr.metrics.conferences import Conferences
from bridgemgr.readiness.service import Readiness
from bridgemgr.telemetry import REGISTRY
from bridgemgr.web import Call, Page

log = logging.getLogger(__name__)

LEADER_KEY = 6_201_002
_WATCH_S = 1.0
_GZIP_LEVEL = 1  # a third of the time of the default for a tenth more bytes

# A second series for each counter and histogram, which text format 0.0.4 shows as a gauge of its own.
disable_created_metrics()  # type: ignore[no-untyped-call]  # the library says no types for it


class MetricsPages(Collector):
    """Serves the pages; ``run`` beside them competes for showing the conferences.

    Args:
        version: the program's, for ``bridgemgr_build_info``.
    """

    def __init__(self, readiness: Readiness, database: Database, scheduler: Scheduler, version: str) -> None:
        self._database = database
        self._scheduler = scheduler
        self._version = version
        self._conferences = Conferences(readiness.gauges)
        self._endpoints = endpoints.EndpointsPage()
        self._is_elected: Callable[[], bool] = _never

    async def run(self) -> None:
        """The loop: hold the election while it lasts, so that each conference is shown by one process."""
        while True:
            try:
                async with self._database.leader(LEADER_KEY) as is_ours:
                    self._is_elected = is_ours
                    while is_ours():  # noqa: ASYNC110 - the driver has no event for a connection's end
                        await asyncio.sleep(_WATCH_S)
            except Unavailable as error:
                log.warning("conferences' metrics are not shown from here now: %s", error.message)
            finally:
                self._is_elected = _never
            await asyncio.sleep(_WATCH_S)

    def pages(self) -> list[Page]:
        """Both pages, also for HEAD."""
        served = {"/metrics": self._service_page, "/metrics/endpoints": self._endpoints_page}
        return [
            Page(method, path, handler, public=True) for path, handler in served.items() for method in ("GET", "HEAD")
        ]

    def collect(self) -> Iterator[Metric]:
        """Every family of the service's page; what the rooms declared first."""
        yield from REGISTRY.collect()
        yield InfoMetricFamily("bridgemgr_build", "Which bridgemgr this is.", value={"version": self._version})
        connections = GaugeMetricFamily(
            "bridgemgr_database_pool_connections", "Connections to the database; max is the limit.", labels=("state",)
        )
        for state, count in self._database.sizes().items():
            connections.add_metric((state,), count)
        yield connections
        yield from self._conferences.collect()

    async def _service_page(self, call: Call) -> web.StreamResponse:
        if self._is_elected():
            await self._conferences.refresh()
        else:
            self._conferences.clear()
        encode, content_type = choose_encoder(call.request.headers.get("Accept", ""))
        return await _answer(call.request, content_type, [encode(self)])

    async def _endpoints_page(self, call: Call) -> web.StreamResponse:
        slices = self._endpoints.slices(self._scheduler.held())
        return await _answer(call.request, endpoints.CONTENT_TYPE, slices)


def _never() -> bool:
    return False


async def _answer(request: web.Request, content_type: str, parts: Iterable[bytes]) -> web.Response:
    """The parts as one body, compressed where that is accepted; others run between two parts."""
    headers = {"Content-Type": content_type, "Vary": "Accept, Accept-Encoding"}
    compressor = None
    if accepts_gzip(request.headers.get("Accept-Encoding", "")):
        compressor = zlib.compressobj(_GZIP_LEVEL, wbits=zlib.MAX_WBITS | 16)
        headers["Content-Encoding"] = "gzip"
    body = []
    for part in parts:
        body.append(compressor.compress(part) if compressor else part)
        await asyncio.sleep(0)
    if compressor:
        body.append(compressor.flush())
    return web.Response(body=b"".join(body), headers=headers)


def accepts_gzip(header: str) -> bool:
    """Whether Accept-Encoding takes gzip (RFC 9110 section 12.5.3); ``*`` is not taken for it."""
    for each in header.lower().split(","):
        coding, _, parameter = (part.strip() for part in each.partition(";"))
        if coding == "gzip":
            weight = parameter.partition("q=")[2]
            return not weight or any(digit in "123456789" for digit in weight)
    return False
