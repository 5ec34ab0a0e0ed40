"""
When a charge becomes a row of the bill, and how the row changes afterwards.

Decides publication, revision, absence and withdrawal; each row's whole life is fixed when it is made, so what can
be seen at an instant is a pure function of that instant.
"""

from dataclasses import dataclass

from alertd.simulator.meters import DAY_S, HOUR_S, Charge, Meter
from alertd.simulator.noise import OUT_OF, draw

MINUTE_S = 60

WHOLE = 10**6
"""1/10000 USD in units of 1e-10 USD: what the integer fields count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """
    How well the account's bills are kept; shares are per ten thousand rows.

    Attributes:
        late: Published one to three days after the others.
        revised: Published with a wrong amount, corrected 3 to 48 hours later.
        absent: Missing for 15 to 90 minutes some time after publication: one or two reads.
        withdrawn: Removed for good within three days.
    """

    late: int = 100
    revised: int = 250
    absent: int = 100
    withdrawn: int = 15


USUAL = Publication()

PROMPT = Publication(late=0, revised=0, absent=0, withdrawn=0)
"""No row is late or changes, except the current day of what is billed by the day."""


# Each answer looks up hundreds of rows and versions; hashing by identity costs next to nothing.
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Version:
    """A row's amounts, in 1e-10 USD, from *published_s* on until the next version; equal to itself only."""

    published_s: int
    amount: int
    voucher: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Row:
    """
    A row of the bill with its whole life; it covers [start_s, end_s), Unix seconds. Equal to itself only.

    Attributes:
        versions: Oldest first; the last is the truth, unless the row is withdrawn.
        absent_s: The interval in which it is missing for no good reason.
        withdrawn_s: When it is removed for good; it was never owed.
        spelling: In [0, 10000): selects the JSON spelling it is written in.
    """

    meter: Meter
    start_s: int
    end_s: int
    billing_method: int
    versions: tuple[Version, ...]
    absent_s: tuple[int, int] | None = None
    withdrawn_s: int | None = None
    spelling: int = 0

    def visible_at(self, now_s: int) -> Version | None:
        """Return the version that is visible at *now_s*; None if there is none."""
        if now_s < self.versions[0].published_s:
            return None
        if self.withdrawn_s is not None and now_s >= self.withdrawn_s:
            return None
        if self.absent_s is not None and self.absent_s[0] <= now_s < self.absent_s[1]:
            return None
        return next(version for version in reversed(self.versions) if version.published_s <= now_s)

    @property
    def final(self) -> Version | None:
        """The final version; None if the row is withdrawn."""
        return None if self.withdrawn_s is not None else self.versions[-1]


def publish(meter: Meter, charge: Charge, *, seed: int, publication: Publication) -> Row:
    """Return the row that *charge* becomes."""
    place = (meter.owner_id, meter.product_name, charge.start_s, charge.billing_method, charge.amount)
    lag, late, lateness, revised, error, correction, absent, when, length, withdrawn, taken, spelling = draw(
        seed, "row", *place
    )
    first_s = _first_published(charge, lag)
    if late < publication.late:
        first_s += DAY_S + lateness * 2 * DAY_S // OUT_OF
    versions = [(first_s, charge.amount)]
    if meter.is_daily and lag < OUT_OF // 2:
        # Half of what is billed by the day is already visible during the day, with the sum up to noon.
        versions.insert(0, (charge.start_s + DAY_S // 2, charge.amount // 2))
    elif revised < publication.revised:
        wrong = charge.amount * (OUT_OF // 2 + error) // OUT_OF
        versions = [(first_s, wrong), (first_s + 3 * HOUR_S + correction * 45 * HOUR_S // OUT_OF, charge.amount)]
    absent_from_s = first_s + HOUR_S + when * 2 * DAY_S // OUT_OF
    absent_until_s = absent_from_s + 15 * MINUTE_S + length * 75 * MINUTE_S // OUT_OF
    return Row(
        meter=meter,
        start_s=charge.start_s,
        end_s=charge.end_s,
        billing_method=charge.billing_method,
        versions=tuple([_version(meter, published_s, amount) for published_s, amount in versions]),
        absent_s=(absent_from_s, absent_until_s) if absent < publication.absent else None,
        withdrawn_s=first_s + 2 * HOUR_S + taken * 70 * HOUR_S // OUT_OF if withdrawn < publication.withdrawn else None,
        spelling=spelling,
    )


def _first_published(charge: Charge, lag: int) -> int:
    if charge.end_s - charge.start_s == DAY_S:
        return charge.end_s + HOUR_S + lag * 3 * HOUR_S // OUT_OF
    # Squared: most rows come within half an hour, a few take two.
    return charge.end_s + 4 * MINUTE_S + lag * lag * 116 * MINUTE_S // OUT_OF**2


def _version(meter: Meter, published_s: int, amount: int) -> Version:
    voucher = amount * meter.voucher_percent // 100
    if not meter.has_decimals:
        # Only the integers will be published, so the charge itself must be representable by them.
        amount, voucher = whole(amount) * WHOLE, whole(voucher) * WHOLE
    return Version(published_s=published_s, amount=amount, voucher=voucher)


def whole(units: int) -> int:
    """Return an amount of 1e-10 USD in 1/10000 USD, truncated toward zero."""
    return units // WHOLE if units >= 0 else -(-units // WHOLE)
