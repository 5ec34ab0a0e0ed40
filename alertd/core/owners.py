"""The owner of an id: name, team, addresses and labels, from the first entry whose patterns match."""

import re
from collections.abc import Mapping
from dataclasses import field
from typing import Annotated

from alertd.core.dataclass import dataclass, replace
from alertd.core.key import Key
from alertd.core.labels import Labels, Patterns
from alertd.core.printable import escape_controls, shows_nothing

_MEMBER = re.compile(r"[UW][A-Z0-9]{5,30}", re.ASCII)
_GROUP = re.compile(r"S[A-Z0-9]{5,30}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """One entry of `owners:` in the rules file."""

    match: Annotated[
        Patterns,
        Key("Instance, endpoint or key ids: a value, a glob or a list. First match wins.", example="gpu-7f3a*"),
    ] = Patterns()
    """Without a pattern, every id matches."""
    match_name: Annotated[
        Patterns,
        Key(
            "Names that the API gives to instances, endpoints and keys, instead of `match` or in addition to it.",
            example="trainer-*",
        ),
    ] = Patterns()
    """With a pattern, an owner without such a name does not match."""
    name: Annotated[str, Key("The name that people use; default the name that the API gives.", example="trainer-a")] = (
        ""
    )
    team: Annotated[str, Key("The team that pays for it.", example="research")] = ""
    slack: Annotated[
        str, Key("The Slack id of a member, user group or channel that stands for it.", example="U04ABCDEF")
    ] = ""
    email: Annotated[str, Key("An address for mail.", example="dana@example.com")] = ""
    labels: Annotated[
        Labels, Key("Further labels; `group_by` and matchers may name them.", example={"env": "prod"})
    ] = ()

    def matches(self, owner_id: str, api_name: str) -> bool:
        """Return whether this entry applies to an owner; if both kinds of patterns are given, both must match."""
        is_named = not self.match_name.texts or (bool(api_name) and self.match_name.matches(api_name))
        return is_named and self.match.matches(owner_id)

    def address(self, kind: str) -> str:
        """Return where receivers of a kind (`slack`, `email`) reach the owner; empty if unknown."""
        # A user group can be mentioned, but has no conversation to write to.
        place = "" if _GROUP.fullmatch(self.slack) else self.slack
        return {"slack": place, "email": self.email}.get(kind, "")


def slack_mention(slack_id: str) -> str:
    """
    Return a mention that notifies a Slack member or user group; empty for any other text.

    Source: https://docs.slack.dev/messaging/formatting-message-text#mentioning-users
    """
    if _MEMBER.fullmatch(slack_id):
        return f"<@{slack_id}>"
    return f"<!subteam^{slack_id}>" if _GROUP.fullmatch(slack_id) else ""


_NOBODY = Owner()


@dataclass(frozen=True, slots=True)
class OwnerDirectory:
    """All known owners, in the order of the file; lookups are cached for the lifetime of the directory."""

    entries: tuple[Owner, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    """The API's names of keys, instances and endpoints, by id. A name in the rules file takes precedence."""
    _found: dict[str, Owner] = field(default_factory=dict, compare=False, repr=False)

    def find(self, owner_id: str) -> Owner:
        """Return the first entry that matches, or an empty one; if it has no name, with the API's name."""
        found = self._found.get(owner_id)
        if found is None:
            # An empty id matches nothing, not even `*`: spend without an owner must remain visible as such.
            api_name = self.names.get(owner_id, "")
            api_name = "" if shows_nothing(api_name) else api_name
            found = next((o for o in self.entries if owner_id and o.matches(owner_id, api_name)), _NOBODY)
            if not found.name and api_name:
                found = replace(found, name=api_name)
            self._found[owner_id] = found
        return found

    def named(self, names: Mapping[str, str]) -> "OwnerDirectory":
        """Return a directory with the same entries and these API names."""
        return OwnerDirectory(self.entries, dict(names))

    def attribute(self, owner_id: str, name: str) -> str:
        """Return `team` or a label of an owner; empty if it has none."""
        owner = self.find(owner_id)
        return owner.team if name == "team" else dict(owner.labels).get(name, "")

    def display(self, owner_id: str) -> str:
        """Return the owner for people: `trainer-a (gpu-1)`, the bare id, or `(no owner)`."""
        name = self.find(owner_id).name
        if not owner_id:
            return "(no owner)"
        # An id of invisible characters is still an id, so it is shown escaped.
        shown = escape_controls(owner_id) if shows_nothing(owner_id) else owner_id
        return f"{name} ({shown})" if name and name != owner_id else shown
