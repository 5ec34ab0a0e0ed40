"""Charts of alerts: a rule that fails to draw one affects nothing else."""

from collections.abc import Callable

from alertd.core.alert import Alert
from alertd.core.chart import Chart
from alertd.core.rules.base import Rule
from alertd.core.rules.facts import Facts
from alertd.log import get_logger


def charts(facts: Facts) -> Callable[[Alert, Rule | None], Chart | None]:
    """Return the function that draws an alert's chart from the facts."""

    def chart_of(alert: Alert, rule: Rule | None) -> Chart | None:
        try:
            return rule.chart(facts, alert) if rule is not None else None
        except (Exception, SystemExit):  # noqa: BLE001 -- as with rules: logged with its traceback, the others continue
            get_logger().exception("chart failed", rule=alert.rule)
            return None

    return chart_of
