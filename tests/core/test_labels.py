"""Patterns, fingerprints and the directory of owners."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertd.core.labels import Labels, Patterns, fingerprint, is_glob, matches_all
from alertd.core.owners import Owner, OwnerDirectory


@pytest.mark.parametrize(
    ("patterns", "value", "matches"),
    [
        pytest.param((), "anything", True, id="no pattern"),
        pytest.param(("gpu",), "gpu", True, id="a value"),
        pytest.param(("gpu",), "GPU", False, id="case counts"),
        pytest.param(("gpu",), "gpu-1", False, id="the whole of it"),
        pytest.param(("gpu-*",), "gpu-", True, id="a glob"),
        pytest.param(("gpu-?",), "gpu-12", False, id="one character"),
        pytest.param(("gpu-[12]",), "gpu-2", True, id="a set of characters"),
        pytest.param(("*",), "two\nlines", True, id="a star crosses lines"),
        pytest.param(("a", "b*"), "bc", True, id="one of a list"),
        pytest.param(("!a*",), "b", True, id="only excluded ones: the rest matches"),
        pytest.param(("!a*",), "ab", False, id="excluded"),
        pytest.param(("a*", "!ab"), "ab", False, id="an exclusion wins"),
        pytest.param(("a*", "!ab"), "ac", True, id="not excluded"),
        pytest.param(("!",), "", False, id="empty excluded"),
        pytest.param(("a.c",), "abc", False, id="a point is a point"),
    ],
)
def test_patterns_when_matched_then_as_written(patterns: tuple[str, ...], value: str, matches: bool) -> None:
    """One language for filters, routes and owners."""
    assert Patterns(patterns).matches(value) is matches


@pytest.mark.parametrize(
    ("texts", "matches"),
    [
        pytest.param(("first_spend",), True, id="its present name"),
        pytest.param(("new_owner",), True, id="its former one, as in a silence that is stored"),
        pytest.param(("new_*",), True, id="a glob of it"),
        pytest.param(("!new_owner",), False, id="excluded by it"),
        pytest.param(("spike", "new_owner"), True, id="in a list"),
        pytest.param(("spike",), False, id="another"),
        pytest.param(("!spike",), True, id="another excluded"),
    ],
)
@pytest.mark.parametrize("value", ["first_spend", "new_owner"])
def test_matchers_when_a_type_was_renamed_then_both_names_are_one(
    texts: tuple[str, ...], value: str, matches: bool
) -> None:
    """A silence of `type=new_owner` held nothing any more once the type was called `first_spend`."""
    assert matches_all({"type": Patterns(texts)}, {"type": value}) is matches
    assert matches_all({"team": Patterns(("new_owner",))}, {"team": "first_spend"}) is False


@pytest.mark.parametrize(("text", "glob"), [("a*", True), ("a?", True), ("[a]", True), ("a.b-c", False)])
def test_is_glob_when_asked_then_whether_it_stands_for_more(text: str, glob: bool) -> None:
    """Plain values are compared, not compiled."""
    assert is_glob(text) is glob


def test_fingerprint_when_made_then_for_ever_the_same() -> None:
    """Acknowledgements and silences of stored alerts name it: this value must never change."""
    assert fingerprint("gpu-24h", (("owner", "gpu-1"),)) == "a0189caff68cf5aa"


def test_fingerprint_when_values_hold_separators_then_still_differs() -> None:
    """Owner ids are data of others: no value may take over another group's alert."""
    one = fingerprint("r", (("a", "\x1fb\x1e"), ("b", "")))
    assert one != fingerprint("r", (("a", ""), ("b", "\x1fb\x1e")))


LABELS = st.dictionaries(st.sampled_from(["owner", "team", "category"]), st.text("ab=, ", max_size=4))


@given(LABELS, LABELS, st.randoms())
def test_fingerprint_when_groups_differ_then_differs(
    one: dict[str, str], other: dict[str, str], chance: Random
) -> None:
    """Order is no difference, any value is."""
    shuffled = list(one.items())
    chance.shuffle(shuffled)
    labels: Labels = tuple(shuffled)
    assert fingerprint("r", tuple(one.items())) == fingerprint("r", labels)
    if one != other:
        assert fingerprint("r", tuple(one.items())) != fingerprint("r", tuple(other.items()))


DIRECTORY = OwnerDirectory(
    (
        Owner(match=Patterns(("gpu-1",)), name="trainer-a", team="research", labels=(("env", "prod"),)),
        Owner(match=Patterns(("gpu-*", "!gpu-9")), name="gpu-2", labels=(("env", "dev"), ("cost", "7"))),
        Owner(match=Patterns(("*",)), team="rest"),
    )
)


@pytest.mark.parametrize(
    ("owner_id", "display", "team", "env"),
    [
        pytest.param("gpu-1", "trainer-a (gpu-1)", "research", "prod", id="the first match wins"),
        pytest.param("gpu-2", "gpu-2", "", "dev", id="a name like the id is not said twice"),
        pytest.param("gpu-9", "gpu-9", "rest", "", id="excluded from one, found in the next"),
        pytest.param("", "(no owner)", "", "", id="spend without an owner stays visible as such"),
    ],
)
def test_owner_when_looked_up_then_name_team_and_labels(owner_id: str, display: str, team: str, env: str) -> None:
    """Who stands behind an id."""
    found = (DIRECTORY.display(owner_id), DIRECTORY.attribute(owner_id, "team"), DIRECTORY.attribute(owner_id, "env"))
    assert found == (display, team, env)
    assert DIRECTORY.find(owner_id) is DIRECTORY.find(owner_id)


@pytest.mark.parametrize(
    ("owner_id", "display", "team"),
    [
        pytest.param("gpu-1", "trainer-a (gpu-1)", "research", id="the rules file's name wins"),
        pytest.param("key-9", "ci (key-9)", "rest", id="an entry without a name leaves the bills' one"),
        pytest.param("key-8", "key-8", "rest", id="named nowhere"),
        pytest.param("", "(no owner)", "", id="nobody's"),
    ],
)
def test_owner_when_the_bills_name_it_then_that_name_where_the_file_has_none(
    owner_id: str, display: str, team: str
) -> None:
    """API keys have names of their own."""
    assert DIRECTORY.find("key-9").name == ""
    named = DIRECTORY.named({"gpu-1": "other", "key-9": "ci", "": "nobody"})
    assert (named.display(owner_id), named.attribute(owner_id, "team")) == (display, team)
