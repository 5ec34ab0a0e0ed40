"""What must hold of what people asked for: what the daemon said yes to is so, and stays so over restarts."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from tests.simulation.oracle_seen import RANKS, Seen
from tests.simulation.world import World

SURE_AFTER_S = 60
ENDS_WITHIN_S = 300
CALLED_WITHIN_S = 2 * 3600
JOINED_S = 16 * 60
"""For a quarter of an hour whoever asks to stop something joins the stop that is under way."""
NEVER_S = 1e12


@dataclass(slots=True, kw_only=True)
class Asked:
    """Something that somebody asked for about an alert."""

    at_s: float
    kind: str
    alert: Seen
    """As it was last seen, before the request or, where that acknowledged it, since."""
    until_s: float
    """When it ends by itself."""
    answer: Callable[[], bytes]

    @property
    def is_granted(self) -> bool:
        """Whether the daemon said that it was done."""
        return b'"text"' in self.answer()

    def is_of(self, one: Seen | None) -> bool:
        """Return whether an alert is the one, in the same life, and fires."""
        return one is not None and one.state == "firing" and one.started_at == self.alert.started_at


@dataclass(slots=True)
class People:
    """What is in force of what was asked for."""

    world: World
    _asked: list[Asked] = field(default_factory=list)

    def note(self, one: Asked) -> None:
        """Take note of a request."""
        if one.kind == "unsilence":
            self._drop("silence", one.alert.fingerprint)
        else:
            self._asked.append(one)

    def forget(self) -> None:
        """Hold nothing against the daemon any more: another text is in force, or a cycle was not seen."""
        self._asked.clear()

    def _drop(self, kind: str, fingerprint: str) -> None:
        self._asked = [one for one in self._asked if (one.kind, one.alert.fingerprint) != (kind, fingerprint)]

    def check(
        self,
        seen: Mapping[str, Seen],
        notified: Collection[tuple[str, float, str]],
        deaths: Sequence[float],
        *,
        done_s: float,
        is_next: bool,
    ) -> Iterator[str]:
        """
        Yield what is wrong after a cycle.

        Args:
            seen: The open alerts.
            notified: (receiver, when, fingerprint) of what was said to fire since the check before.
            deaths: When the process was killed.
            is_next: One cycle was done since; after more, a severity may have risen and fallen again.
        """
        # Where the process died before it could answer, nobody knows whether it was done.
        self._asked = [
            each for each in self._asked if each.is_granted and self._lasts(each, seen, done_s, is_next=is_next)
        ]
        for asked in self._asked:
            one, who = seen.get(asked.alert.fingerprint), f"{asked.alert.rule} of {asked.alert.owner or 'all'}"
            if asked.kind == "stop":
                yield from self._check_stop(asked, deaths, done_s)
            elif one is not None and asked.kind == "acknowledge":
                if one.acknowledged_by is None:
                    yield f"{who} was acknowledged, and is not any more"
                # A severity that it fell from and reaches again is news again, and ends what was asked for.
                asked.alert = one
            elif one is not None and asked.kind == "silence":
                if one.muted_by != "silence":
                    yield f"{who} was silenced, and is not any more"
                for receiver, at_s, fingerprint in notified:
                    is_late = at_s > asked.at_s + SURE_AFTER_S
                    if fingerprint == one.fingerprint and is_late and not self._is_in_doubt(one, deaths, at_s):
                        yield f"{receiver} was notified of {who}, which was silenced"

    def _lasts(self, asked: Asked, seen: Mapping[str, Seen], done_s: float, *, is_next: bool) -> bool:
        """Return whether what was asked for is still in force."""
        one = seen.get(asked.alert.fingerprint)
        match asked.kind:
            case "stop":
                return done_s < asked.at_s + 2 * CALLED_WITHIN_S
            case "acknowledge":
                if one is None or not asked.is_of(one) or _has_risen(asked.alert, one):
                    return False
                return is_next or one.notified_at == asked.alert.notified_at
        return asked.is_of(one) and done_s < asked.until_s - ENDS_WITHIN_S

    def _is_in_doubt(self, one: Seen, deaths: Sequence[float], at_s: float) -> bool:
        """Return whether a copy may have left before: what was on its way as the process died is sent to its end."""
        due_s = datetime.fromisoformat(one.notified_at).timestamp() - self.world.start_s
        return any(due_s <= died_s <= at_s for died_s in deaths)

    def _check_stop(self, asked: Asked, deaths: Sequence[float], done_s: float) -> Iterator[str]:
        since_s = asked.at_s - (JOINED_S if b"already" in asked.answer() else 1)
        is_disturbed = any(since_s <= at_s < asked.at_s + CALLED_WITHIN_S for at_s in deaths)
        is_disturbed |= self.world.had_trouble("gpu", since_s, done_s)
        if done_s > asked.at_s + CALLED_WITHIN_S and not is_disturbed and asked.alert.owner not in self.world.stopped:
            yield f"{asked.alert.owner} was to be stopped, and nobody asked the API for it"


def _has_risen(before: Seen, now: Seen) -> bool:
    return RANKS.index(now.severity) > RANKS.index(before.severity)
