"""Records who did what; called inside the transaction that does it, so that neither stands alone."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from bridgemgr.audit import store
from bridgemgr.db import Connection
from bridgemgr.principal import Principal


async def record(
    conn: Connection,
    principal: Principal,
    now: datetime,
    action: str,
    subjects: str | Sequence[str],
    detail: Mapping[str, Any] | None = None,
    *,
    office: str | None = None,
) -> None:
    """Append an event a subject.

    Args:
        action: ``noun.verb``, e.g. ``site.create``.
        subjects: the codes or ids of what was changed; one event each.
        detail: what changed, never a secret.
        office: the office whose people may read it.
    """
    wanted = [subjects] if isinstance(subjects, str) else subjects
    if wanted:
        await store.insert(conn, now, principal.name, action, wanted, office, detail or {})
