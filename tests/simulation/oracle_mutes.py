"""What must hold of alerts that others mute: nobody is notified while they are, and whoever should is afterwards."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from tests.simulation.oracle_seen import Seen
from tests.simulation.rules import MUTED, MUTING


@dataclass(slots=True)
class Inhibited:
    """The fingerprints of what was muted by another alert at the check before."""

    _before: frozenset[str] = frozenset()

    def check(
        self, seen: Mapping[str, Seen], notified: Collection[tuple[str, float, str]], *, is_next: bool
    ) -> Iterator[str]:
        """
        Yield what is wrong after a cycle.

        Args:
            seen: The open alerts.
            notified: (receiver, when, fingerprint) of what was said to fire since the check before.
            is_next: One cycle was done since.
        """
        loud = {one.owner for one in seen.values() if one.rule == MUTING and one.is_critical}
        muted = {one.fingerprint for one in seen.values() if one.rule == MUTED and one.owner in loud}
        for one in seen.values():
            if one.state != "firing" or one.muted_by == "silence":
                continue
            is_muted = one.fingerprint in muted
            if is_muted != (one.muted_by == "inhibition"):
                how = "is not muted although" if is_muted else "is muted by another, and not so that"
                yield f"{one.rule} of {one.owner} {how} {MUTING} of {one.owner} is critical"
        for receiver, _, fingerprint in notified:
            if is_next and fingerprint in self._before & muted:
                yield f"{receiver} was notified of {fingerprint}, which another alert mutes"
        self._before = frozenset(muted)
