"""Values of alerts for people, with their units."""

from decimal import Decimal

from alertd.core.alert import Unit
from alertd.core.money import UNITS_PER_USD, format_usd, plain
from alertd.core.words import format_count, format_share


def format_value(value: Decimal, unit: Unit) -> str:
    """Return a value with its unit for people: `$61.25`, `83 %`, `7.5 days`, `3 h`."""
    match unit:
        case Unit.USD:
            return format_usd(int(value * UNITS_PER_USD))
        case Unit.RATIO:
            return format_share(value)
        case Unit.DAYS:
            days = plain(round(value, 1))
            return format_count(days, "day")
        case Unit.HOURS:
            return f"{plain(round(value, 1)):f} h"
