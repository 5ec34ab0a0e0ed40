"""Charts of alerts, from what is known: a rule that cannot draw one takes nothing else with it."""

from collections.abc import Callable

from alertd.core.alert import Alert
from alertd.core.chart import Chart
from alertd.core.rules.base import Rule
from alertd.core.rules.facts import Facts
from alertd.log import get_logger


def charts(facts: Facts) -> Callable[[Alert, Rule | None], Chart | None]:
    """Return what draws an alert from what is known."""

    def chart_of(alert: Alert, rule: Rule | None) -> Chart | None:
        try:
            return rule.chart(facts, alert) if rule is not None else None
        except (Exception, SystemExit):  # noqa: BLE001 -- as with rules: logged with its trace, the others go on
            get_logger().exception("chart failed", rule=alert.rule)
            return None

    return chart_of
