"""What is kept of an endpoint's past, for whoever looks back."""

from collections.abc import Callable
from datetime import datetime, timedelta

from bridgemgr.db import Database
from bridgemgr.errors import Invalid, NotFound
from bridgemgr.health import history_store as store
from bridgemgr.health.history_model import STEPS, Bucket, Course, Step, ceil, floor, true_changes
from bridgemgr.principal import Principal

LONGEST: dict[Step, timedelta] = {"minute": timedelta(days=31), "hour": timedelta(days=400)}


class History:
    """Use cases of looking back; it changes nothing."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    async def course(
        self,
        principal: Principal,
        endpoint_id: int,
        begin: datetime,
        end: datetime,
        step: Step = "hour",
        limit: int | None = None,
        resume: datetime | None = None,
    ) -> Course:
        """An endpoint's course over [begin, end): its buckets and its changes of state.

        The bucket in which ``begin`` lies is shown whole.

        Args:
            limit: buckets at most, and changes at most; where there are more the course ends earlier, and
                its ``resume`` says where the rest begins. None: as many as the longest period has buckets.
            resume: begin there instead, where an earlier answer ended.

        Raises:
            Forbidden: the asker is no viewer.
            NotFound: there is no such endpoint.
            Invalid: the period ends before it begins, or is longer than 400 days, of minutes 31 days.
        """
        principal.require("viewer")
        check_period(begin, end, LONGEST[step])
        limit = limit or round(LONGEST[step] / STEPS[step]) + 1
        now = self._clock()
        async with self._database.transaction(read_only=True) as conn:
            if not await store.endpoint_exists(conn, endpoint_id):
                raise NotFound(f"There is no endpoint {endpoint_id}.")
            start, first = resume or begin, ceil(resume, step) if resume else floor(begin, step)
            state = await store.state_before(conn, endpoint_id, start, now)
            turned = await store.state_changes(conn, endpoint_id, (start, end), now, limit + 1)
            rows = await store.buckets(conn, endpoint_id, (first, end), step, limit + 1)
        over = [rows[limit]["at"]] if len(rows) > limit else []
        over += [turned[limit].at] if len(turned) > limit else []
        stop = min(over, default=end)
        return Course(
            endpoint=endpoint_id,
            begin=start,
            end=stop,
            step=step,
            state=state,
            buckets=[Bucket(**row) for row in rows if row["at"] < stop],
            changes=[change for change in true_changes(state, turned) if change.at < stop],
            resume=stop if over else None,
        )


def check_period(begin: datetime, end: datetime, longest: timedelta) -> None:
    """Invalid unless [begin, end) is a period of at most ``longest``."""
    if end <= begin:
        raise Invalid("The period must end after it begins: `to` must lie after `from`.")
    if end - begin > longest:
        raise Invalid(f"The period is longer than {longest.days} days: ask for parts of it.")
