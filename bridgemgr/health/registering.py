"""What is asked of a target before it is registered."""

from collections.abc import Iterable

from bridgemgr.errors import Invalid
from bridgemgr.health.networks import AllowedNetworks, ProbeRefused
from bridgemgr.health.targets import parse_target


class TargetCheck:
    """Gives the canonical text of a target.

    An address that may not be probed is refused here, where somebody reads why. A name is judged at each probe, by
    the addresses that it has then.

    Args:
        allow: the networks that may be probed, in CIDR notation.
    """

    def __init__(self, allow: Iterable[object]) -> None:
        self.configure(allow)

    def configure(self, allow: Iterable[object]) -> None:
        """Judge by these networks from now on."""
        self._networks = AllowedNetworks(map(str, allow))

    def __call__(self, text: str) -> str:
        """The canonical text; Invalid when it is no target, or may not be probed."""
        target = parse_target(text)
        if target.address is not None:
            try:
                self._networks.check(target.address)
            except ProbeRefused as refusal:
                raise Invalid(f"{refusal} The setting probes.allow names them.") from None
        return target.text
