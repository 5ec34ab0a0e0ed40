"""Who is notified of an alert: routes, defaults, the people behind owners, and quiet hours."""

from collections.abc import Iterable, Mapping
from dataclasses import field
from datetime import datetime
from typing import TYPE_CHECKING

from alertd.core.alert import Address, Alert
from alertd.core.alerts.inhibition import Inhibition
from alertd.core.alerts.quiet_hours import QuietHours, quiet_until
from alertd.core.alerts.reason import NotifyReason
from alertd.core.alerts.routing import OWNER, Route, route
from alertd.core.alerts.silence import matchable
from alertd.core.dataclass import dataclass
from alertd.core.owners import OwnerDirectory
from alertd.core.severity import Severity

if TYPE_CHECKING:
    from alertd.core.rules.rule import Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkTargets:
    """Addresses of pages, each empty where there is none."""

    status: str = ""
    """Where alertd's own pages begin, without a slash at its end."""
    billing: Mapping[str, str] = field(default_factory=dict)
    """Account to the vendor's page where its bills are paid."""
    consoles: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Account to the vendor's page of what is billed in a category."""

    @property
    def overview(self) -> str:
        """Return the status page."""
        return f"{self.status}/" if self.status else ""

    def of_alert(self, fingerprint: str) -> str:
        """Return the page of one alert."""
        return f"{self.status}/alerts/{fingerprint}" if self.status else ""


NO_TARGETS = LinkTargets()


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """Everyone who can be notified, and what withholds it by the rules file; replaced at reload."""

    routes: tuple[Route, ...] = ()
    default: tuple[str, ...] = ()
    recipients: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    owners: OwnerDirectory = OwnerDirectory()
    contacts: Mapping[str, str] = field(default_factory=dict)
    """Kind of contact of an owner (`slack`, `email`) to the receiver that writes to it, the preferred kind first."""
    editors: frozenset[str] = frozenset()
    """Receivers that can change what they sent."""
    inhibitions: tuple[Inhibition, ...] = ()
    quiet_hours: Mapping[str, tuple[QuietHours, ...]] = field(default_factory=dict)
    """Receiver to its quiet hours."""
    targets: LinkTargets = NO_TARGETS
    """Where those who are notified read on."""
    timezone: str = "UTC"
    """By whose clock they read instants."""

    def of(self, alert: Alert, rule: "Rule | None", reason: NotifyReason) -> tuple[Address, ...]:
        """Return who is to be notified for a reason; an end and a correction go to those who were notified."""
        if reason is NotifyReason.RESOLVED:
            return tuple(address for address in alert.notified_to if address.receiver in self.recipients)
        if reason.is_edit:
            return tuple(address for address in alert.notified_to if address.receiver in self.editors)
        further = rule.escalate.notify if rule is not None and rule.escalate is not None else ()
        if reason is NotifyReason.ESCALATED:
            return self._addresses(further, alert, otherwise=self._routed(alert))
        names = rule.notify if rule is not None and rule.notify else self._routed(alert)
        if alert.escalated_at is not None:
            names = (*names, *further)
        return self._addresses(names, alert, otherwise=self._routed(alert))

    def _routed(self, alert: Alert) -> tuple[str, ...]:
        return route(matchable(alert), self.routes, default=self.default)

    def _addresses(self, names: Iterable[str], alert: Alert, *, otherwise: tuple[str, ...]) -> tuple[Address, ...]:
        """
        Return the addresses behind names of receivers that exist, each once.

        Where the owner is all that is named and cannot be written to, the routes say who is notified, or the
        default where they too name only the owner, and the first receiver at last: no spend is without a receiver.
        """
        wanted = tuple(dict.fromkeys(names))
        found = self._reached(wanted, alert)
        for instead in (otherwise, self.default, tuple(self.recipients)[:1]) if OWNER in wanted else ():
            found = found or self._reached(instead, alert)
        return found

    def _reached(self, names: Iterable[str], alert: Alert) -> tuple[Address, ...]:
        addresses: dict[Address, None] = {}
        for name in names:
            if name == OWNER:
                contact = self._contact(dict(alert.labels).get(OWNER, ""))
                addresses |= {contact: None} if contact is not None else {}
            else:
                addresses |= {Address(name, recipient): None for recipient in self.recipients.get(name, ())}
        return tuple(addresses)

    def _contact(self, owner_id: str) -> Address | None:
        """Return where the person or channel behind an owner is written to, None where nothing is known."""
        owner = self.owners.find(owner_id)
        ways = (Address(receiver, owner.address(kind)) for kind, receiver in self.contacts.items())
        return next((way for way in ways if way.recipient), None)

    def held_until(self, receiver: str, severity: Severity, now: datetime) -> datetime | None:
        """Return when a receiver's quiet hours end for a message of a severity, None where they hold nothing back."""
        if severity >= Severity.CRITICAL:
            return None
        return quiet_until(self.quiet_hours.get(receiver, ()), now)
