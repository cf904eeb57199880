"""Which probes wait for which slots, so that what never answers takes none from what does. Pure.

A connection takes a file and a port; a datagram on a socket that all share takes neither. So the two have slots of
their own. And of each kind what timed out the last time, a suspect, gets at most half.
"""

from functools import cache

from bridgemgr.health.model import Health
from bridgemgr.health.targets import Target

# Suspects come last.
DATAGRAMS, CONNECTIONS, SUSPECT_DATAGRAMS, SUSPECT_CONNECTIONS = LANES = (0, 1, 2, 3)
_KINDS = 2

_DATAGRAMS_PER_CONNECTION = 8
# An answer takes less, unless a SYN was lost (RFC 6298 section 2.1). A probe that takes longer may be given up,
# unjudged, where others wait for its slot: it is a suspect from then on, and has its whole time among those.
LONG_S = 1.0
_WHOLE_EVERY = 4
_MARGIN = 4


def lane(target: Target, suspect: bool) -> int:
    """The lane in which an endpoint waits."""
    shared = target.scheme == "icmp" or (target.scheme in ("sip", "stun") and target.transport == "udp")
    # Resolving a name takes a thread, of which there are few.
    kind = DATAGRAMS if shared and target.address is not None else CONNECTIONS
    return kind + _KINDS * suspect


def is_suspect(health: Health | None) -> bool:
    """Whether the next probe of an endpoint may be expected to time out."""
    return health is not None and health.reason == "timeout"


def patience(health: Health | None, usual: float, timeout: float) -> float:
    """Seconds for the next probe of an endpoint.

    What is up, or not yet known to be down, always has the whole of it: no line may fall because of us. What is down
    by silence has a second, or four times what its answers took when that is longer; every fourth probe has the
    whole, for a line that has become slow.

    Args:
        usual: seconds that its last answer took; 0 where not known.
        timeout: the whole.
    """
    if health is None or health.state != "down" or health.reason != "timeout":
        return timeout
    if health.failures % _WHOLE_EVERY == 0:
        return timeout
    return min(timeout, max(LONG_S, _MARGIN * usual))


class Slots:
    """How many probes are under way, and what may still start.

    Args:
        connections: that may be open at once; of datagrams eight times as many may wait for an answer.

    Attributes:
        open: the lanes of which a probe may start.
    """

    def __init__(self, connections: int) -> None:
        self._kinds = (_Kind(connections * _DATAGRAMS_PER_CONNECTION), _Kind(connections))
        self.open: tuple[int, ...] = LANES

    def take(self, number: int) -> None:
        """A probe of this lane starts."""
        self._count(number, 1)

    def free(self, number: int) -> None:
        """A probe of this lane has ended."""
        self._count(number, -1)

    def _count(self, number: int, change: int) -> None:
        kind = self._kinds[number % _KINDS]
        kind.taken += change
        if number >= _KINDS:
            kind.suspects += change
        room = kind.taken < kind.most
        rooms = room, room and kind.suspects < kind.most_suspects
        if rooms != kind.rooms:
            kind.rooms = rooms
            self.open = _open(self._kinds[0].rooms, self._kinds[1].rooms)

    def has_room(self, number: int) -> bool:
        """Whether a probe of this lane may start."""
        return self._kinds[number % _KINDS].rooms[number // _KINDS]


@cache
def _open(datagrams: tuple[bool, bool], connections: tuple[bool, bool]) -> tuple[int, ...]:
    rooms = dict(zip(LANES, (datagrams[0], connections[0], datagrams[1], connections[1]), strict=True))
    return LANES if all(rooms.values()) else tuple(number for number in LANES if rooms[number])


class _Kind:
    """The slots of datagrams, or of connections, and whether there is room for another and for a suspect."""

    __slots__ = ("most", "most_suspects", "rooms", "suspects", "taken")

    def __init__(self, most: int) -> None:
        self.most = most
        self.most_suspects = max(1, most // 2)
        self.taken = self.suspects = 0
        self.rooms = (True, True)


def is_suspects(number: int) -> bool:
    """Whether those who wait in this lane are suspects."""
    return number >= _KINDS
