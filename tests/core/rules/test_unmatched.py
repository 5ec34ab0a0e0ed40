"""Filters that fit nothing: the rule, the key, the value and what there is; and no word where nothing can be known."""

import pytest

from alertd.core.labels import Patterns
from alertd.core.owners import Owner, OwnerDirectory
from alertd.core.rules.unmatched import unmatched
from alertd.core.spend.bill import Series
from alertd.core.spend.lists import View
from tests.core.builders import rolling

OWNERS = OwnerDirectory(
    (
        Owner(match=Patterns(("gpu-1",)), name="trainer-a", team="research"),
        Owner(match=Patterns(("ep-*",)), name="", team="web"),
    )
)


def of(owner: str, product: str, category: str = "gpu") -> Series:
    """A series; what is not named here is empty."""
    plain = dict.fromkeys(Series._fields, "") | {"account": "prod", "category": category}
    return Series(**plain | {"owner": owner, "product": product})


BILLED = [of("gpu-1", "H100"), of("gpu-2", "A100"), of("ep-9", "L40S", "llm_dedicated_endpoint")]


@pytest.mark.parametrize(
    ("filters", "texts"),
    [
        pytest.param({"owner": "gpu-1"}, [], id="an id"),
        pytest.param({"owner": "gpu-*"}, [], id="a glob"),
        pytest.param({"owner": "!gpu-9"}, [], id="whatever is left out may still come"),
        pytest.param({"owner": "GPU-1"}, ['owner: "GPU-1" matches no stored spend; did you mean "gpu-1"?'], id="case"),
        pytest.param({"product": "H10O"}, ['product: "H10O" matches no stored spend; did you mean "H100"?'], id="typo"),
        pytest.param(
            {"owner": "trainer-a"},
            ['owner: "trainer-a" matches no stored spend; owners are matched by their ids: write "gpu-1"'],
            id="a name in place of an id",
        ),
        pytest.param(
            {"team": "zebra"}, ['team: "zebra" matches no stored spend; there is research and web'], id="no such team"
        ),
        pytest.param(
            {"subcategory": "Compute"},
            ['subcategory: "Compute" matches no stored spend; none of it has a subcategory'],
            id="nothing has such a value",
        ),
        pytest.param(
            {"owner": "gpu-1", "product": "A100"},
            ["owner, product: together they match no stored spend, though each alone does"],
            id="never together",
        ),
        pytest.param({"category": "bare_metal", "owner": "bm-1"}, [], id="a category that is not used yet"),
        pytest.param({"category": "gpu", "owner": "ep-9"}, None, id="billed in another category"),
    ],
)
def test_filter_when_compared_with_stored_spend_then_said_what_fits_nothing(
    filters: dict[str, str], texts: list[str] | None
) -> None:
    """A rule that watches nothing fires never, and nobody notices."""
    rule = rolling(**{name: Patterns((text,)) for name, text in filters.items()})
    found = [one.text for one in unmatched([rule], {View.USAGE: BILLED}, OWNERS)]
    assert len(found) == 1 if texts is None else found == texts


def test_filter_when_a_stored_name_holds_controls_then_they_are_shown_by_number() -> None:
    """Owners are named by whoever makes an instance, and `alertd check` prints to a terminal."""
    series = [of("gpu-\x1b[2J\u202e1", "H100")]
    (found,) = unmatched([rolling(owner=Patterns(("gpu-1",)))], {View.USAGE: series}, OwnerDirectory())
    assert str(found).isprintable()


def test_filter_when_the_store_is_fresh_or_the_rule_disabled_then_nothing_is_said() -> None:
    """No bill was read yet: every name would be unknown."""
    wrong = rolling(owner=Patterns(("nope",)))
    assert unmatched([wrong], {View.USAGE: []}, OWNERS) == ()
    assert unmatched([wrong], {}, OWNERS) == ()
    assert unmatched([rolling(owner=Patterns(("nope",)), enabled=False)], {View.USAGE: BILLED}, OWNERS) == ()
