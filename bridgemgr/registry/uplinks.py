"""Keeps endpoints from being behind themselves when one endpoint or one site is hung under another.

Two changes at once may close a circle that neither sees, so each holds the tree (``store.lock_tree``) before it looks.
"""

from collections.abc import Mapping, Set

from bridgemgr.db import Connection
from bridgemgr.registry import endpoint_store as store
from bridgemgr.registry.model import wrong


async def refuse_circle_of_endpoint(conn: Connection, endpoint_id: int, depends_on: int | None) -> None:
    """Raise Invalid, with the way round, where what an endpoint is to be behind is behind that endpoint."""
    if depends_on is not None:
        await _refuse(conn, "depends_on", {depends_on: endpoint_id}, {endpoint_id})


async def refuse_circle_of_site(conn: Connection, site_id: int) -> None:
    """As ``refuse_circle_of_endpoint``, for a site that hangs under its parent already: its endpoints are behind it."""
    roots = await store.roots_above(conn, site_id)
    if roots:
        await _refuse(
            conn,
            "parent",
            {depends_on: endpoint_id for endpoint_id, depends_on in roots},
            await store.at_and_below(conn, site_id),
        )


async def _refuse(conn: Connection, field: str, begun: Mapping[int, int], ends: Set[int]) -> None:
    """Walk up; Invalid where one of ``ends`` is reached.

    Args:
        begun: where the walk begins, with the endpoint that is behind each.
    """
    came_from = dict(begun)
    edge = list(begun)
    while edge and not any(each in ends for each in edge):
        found = await store.directly_above(conn, edge)
        edge = []
        for lower, upper in found:
            if upper not in came_from:
                came_from[upper] = lower
                edge.append(upper)
    if not edge:
        return
    way = [next(each for each in edge if each in ends)]
    while (step := way[-1]) not in begun:
        way.append(came_from[step])
    way.append(begun[step])
    names = await store.names(conn, way)
    upwards = way[::-1] if way[-1] != way[0] else way[-2::-1]
    told = ", which is behind ".join(names[each] for each in upwards)
    raise wrong(field, f"would close a circle: {names[way[0]]} would be behind {told}")
