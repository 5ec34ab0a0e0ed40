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
    """Page URLs; empty if there is none."""

    status: str = ""
    """Base URL of alertd's own pages, without a trailing slash."""
    billing: Mapping[str, str] = field(default_factory=dict)
    """The vendor's page for paying bills, by account."""
    consoles: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """The vendor's pages for a category's resources, by account."""

    @property
    def overview(self) -> str:
        """Return the URL of the status page."""
        return f"{self.status}/" if self.status else ""

    def of_alert(self, fingerprint: str) -> str:
        """Return the URL of an alert's page."""
        return f"{self.status}/alerts/{fingerprint}" if self.status else ""


NO_TARGETS = LinkTargets()


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """Everyone who can be notified, and the mutes of the rules file; replaced at a reload."""

    routes: tuple[Route, ...] = ()
    default: tuple[str, ...] = ()
    recipients: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    owners: OwnerDirectory = OwnerDirectory()
    contacts: Mapping[str, str] = field(default_factory=dict)
    """The receiver for each kind of an owner's contact (`slack`, `email`), the preferred kind first."""
    editors: frozenset[str] = frozenset()
    """Receivers that can edit messages."""
    inhibitions: tuple[Inhibition, ...] = ()
    quiet_hours: Mapping[str, tuple[QuietHours, ...]] = field(default_factory=dict)
    """Quiet hours by receiver."""
    targets: LinkTargets = NO_TARGETS
    """Links for messages."""
    timezone: str = "UTC"
    """The time zone for instants in messages."""

    def of(self, alert: Alert, rule: "Rule | None", reason: NotifyReason) -> tuple[Address, ...]:
        """Return whom to notify for a reason; an end and a correction go to those who were notified."""
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
        Return the addresses for names of existing receivers, each once.

        If only the owner is named and cannot be reached, the routes decide who is notified, or the
        default if they too name only the owner, and finally the first receiver: no alert is without a receiver.
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
        """Return the address of an owner's person or channel; None if unknown."""
        owner = self.owners.find(owner_id)
        ways = (Address(receiver, owner.address(kind)) for kind, receiver in self.contacts.items())
        return next((way for way in ways if way.recipient), None)

    def held_until(self, receiver: str, severity: Severity, now: datetime) -> datetime | None:
        """Return when a receiver's quiet hours end for a message of a severity; None if it is not held."""
        if severity >= Severity.CRITICAL:
            return None
        return quiet_until(self.quiet_hours.get(receiver, ()), now)
