"""Which categories are read: those that the API has, each once, and never the control total of all."""

from alertd.core.rules.watched import Watched
from alertd.core.spend.bill import CATEGORIES
from alertd.core.spend.lists import View
from tests.core.builders import SETTLE
from tests.e2e.world import CATEGORIES as OF_THE_API


def test_categories_when_read_then_those_of_the_api_and_subscriptions() -> None:
    """`summary` is the sum of all others: with it everything would count twice."""
    assert sorted(CATEGORIES) == sorted((*OF_THE_API, "subscription"))
    watched = Watched(accounts=frozenset({"default"}), rules=(), settle_delay=SETTLE)
    assert watched.categories_of(View.USAGE) == CATEGORIES
    assert watched.categories_of(View.API_KEY) == ("llm", "gen_api", "web_search")
