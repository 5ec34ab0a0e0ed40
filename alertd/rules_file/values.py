"""
Parse single values as people write them (durations, money, shares, names), and write them for defaults in the schema.

Each `parse_` function takes a YAML node's value and raises ValueError with a text for the file's author: the value,
what is wrong with it, what to write. The patterns are also ECMA regular expressions, because editors use them too.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import timedelta
from enum import Enum
from fractions import Fraction
from typing import ClassVar, NewType, Self, TypeVar

from alertd.core import times
from alertd.core.address import is_address
from alertd.core.http_url import has_login, split_http_url
from alertd.core.money import Usd, decimal_text, parse_exact, parse_written
from alertd.core.rules.base import Share
from alertd.core.slack_ids import parse_owner_id
from alertd.core.words import format_duration, format_list
from alertd.rules_file.remedy import closest, show
from alertd.rules_file.source import Number

Name = NewType("Name", str)
"""The name of an account, receiver, rule or report."""
LabelName = NewType("LabelName", str)
VariableName = NewType("VariableName", str)
"""The name of an environment variable."""
Url = NewType("Url", str)
Pattern = NewType("Pattern", str)
"""A value or a glob, preceded by `!` to exclude it."""
Address = NewType("Address", str)
"""A mail address."""
SlackId = NewType("SlackId", str)
"""The id of a Slack member, user group or channel."""
Approver = NewType("Approver", str)
"""The id of a Slack member or user group."""
Approvers = NewType("Approvers", tuple[str, ...])
"""At least one approver's id."""
Names = NewType("Names", tuple[str, ...])
"""At least one name."""

MONEY = (
    r"^\s*(\$\s?|[Uu][Ss][Dd]\s)?([0-9]{1,3}(,[0-9]{3})+|[0-9]+)(\.[0-9]+)?(\s?[Uu][Ss][Dd])?\s*$"  # as parse_written
)
SHARE = r"^[0-9]{1,9}(\.[0-9]{1,9})?\s?%$"
NAME = r"^[a-z0-9][a-z0-9_-]{0,99}$"
LABEL_NAME = r"^[a-zA-Z_][a-zA-Z0-9_]{0,99}$"
# API keys begin with sk_: such a text is the secret itself, not the name of the variable that holds it.
VARIABLE_NAME = r"^(?!sk_)[A-Za-z_][A-Za-z0-9_]{0,199}$"
URL = r"^https?://[^\s@/]+(/\S*)?$"
SLACK_ID = r"^([UWSCGD][A-Z0-9]{5,30}|<(@|#|!subteam\^)[A-Z0-9]{6,31}(\|[^<>]*)?>|https://\S+)$"
APPROVER = r"^([UWS][A-Z0-9]{5,30}|<(@|!subteam\^)[UWS][A-Z0-9]{5,30}(\|[^<>]*)?>|https://\S+)$"

_LONGEST_SHOWN = 60

# Alertmanager's matching operators.
OPERATOR = r"(=~|!~|!=|==?|~)\s*"
_OPERATOR = re.compile(OPERATOR)
LIKELY_EXPRESSION = re.compile(r"(?<![0-9.])\.[*?]|\||[\]})]\+|\{[^{}]*[,0-9][^{}]*\}|\(\?")
"""
Syntax that is allowed in a glob but is probably meant as an expression: `gpu.*`, `a|b`, `[0-9]+`, `{a,b}`. A dot after
a digit belongs to a version, like `llama-3.*`.
"""
REGULAR = r"^!?\^|\$$|\\[dwsDWSb.]|\.\+|^!?\.\*|^!?/.*/$|\([^()]*\|[^()]*\)"
"""Regular expression syntax that occurs neither in globs nor in names from the API."""
_EXPRESSION = re.compile(REGULAR)

E = TypeVar("E", bound=Enum)


class Written(ABC):
    """A type that parses its own values; their `str` is their text in the file."""

    SCHEMA: ClassVar[Mapping[str, object]]
    """The JSON Schema of the values that `parse` accepts."""

    @classmethod
    @abstractmethod
    def parse(cls, value: object) -> Self:
        """
        Parse the value of a YAML node.

        Raises:
            ValueError: The value is not valid; the text gives the remedy.
        """


def parse_text(value: object) -> str:
    """Parse text; a number becomes text as written."""
    match value:
        case str():
            return str(value)
        case bool():
            raise ValueError(f'{show(value)} is not text; write "{show(value)}" in quotes if it is meant')
        case _:
            raise ValueError(f"{show(value)} is not text")


def parse_flag(value: object) -> bool:
    """Parse true or false; other spellings are refused."""
    if isinstance(value, bool):
        return value
    raise ValueError(f"{show(value)} is not true or false; write one of these, without quotes")


def parse_whole(value: object) -> int:
    """Parse a whole number."""
    if isinstance(value, Number) and isinstance(value.native, int):
        return value.native
    raise ValueError(f"{show(value)} is not a whole number")


def parse_number(value: object) -> Fraction:
    """Parse a decimal number, rounded to ten decimal places."""
    if isinstance(value, Number):
        try:
            amount, _ = parse_exact(value)
        except (ValueError, OverflowError):
            pass
        else:
            return Fraction(amount, 10**10)
    raise ValueError(f"{show(value)} is not a number; write it plainly, like 2 or 1.5")


def parse_duration(value: object) -> timedelta:
    """Parse a duration: `90m`, `24h`, `7d`, `4w`, or a combination like `1d12h`."""
    if isinstance(value, Number):
        if value.strip("+-0.") == "":
            return timedelta()
        number = str(value)[:9]
        raise ValueError(f"{show(value)} needs a unit: write {number}m, {number}h, {number}d or {number}w")
    if isinstance(value, str):
        return times.parse_duration(value)
    raise ValueError(f"{show(value)} is not a duration; write 90m, 24h, 7d or 4w")


def parse_duration_or_never(value: object) -> timedelta | None:
    """Parse a duration or `never`, which gives None."""
    if value == "never":
        return None
    try:
        return parse_duration(value)
    except ValueError as error:
        raise ValueError(f"{error}, or never") from None


def parse_money(value: object) -> Usd:
    """Parse an amount in USD, exactly, zero or more."""
    if isinstance(value, Number):
        return _money_of_number(value)
    if isinstance(value, str) and len(value) <= _LONGEST_SHOWN:
        return parse_written(value)
    raise ValueError(f'{show(value)} is not an amount; write 50, 50.25, "$1,200" or "50 USD" (USD only)')


def _money_of_number(number: Number) -> Usd:
    if number.startswith("-"):
        raise ValueError(f"{show(number)} is negative; write an amount of 0 or more")
    try:
        amount, rounded = parse_exact(number)
    except OverflowError as error:
        raise ValueError(str(error)) from None
    except ValueError:
        raise ValueError(f"{show(number)} is not an amount; write it plainly, like 50 or 50.25") from None
    if rounded:
        raise ValueError(f"{show(number)} is finer than 0.0000000001 USD")
    return amount


def parse_share(value: object) -> Share:
    """Parse a share: `80%`, or a number from 0 up to but not including 1, which could mean 1 % or 100 %."""
    if isinstance(value, Number):
        share = parse_number(value)
        if 0 <= share < 1:
            return Share(share)
        if share == 1:
            raise ValueError(f"{show(value)} could mean 100% or 1%; write one of these")
        raise ValueError(f"{show(value)} is not a share; write {str(value)[:9].lstrip('-')}%, or a number below 1")
    if isinstance(value, str) and re.fullmatch(SHARE, value):
        return Share(Fraction(value.rstrip("% \t")) / 100)
    raise ValueError(f"{show(value)} is not a share; write it like 80%")


def parse_enum(value: object, kind: type[E]) -> E:
    """Parse a word of an enum."""
    words = {written_word(member): member for member in kind}
    if isinstance(value, str) and value in words:
        return words[value]
    known = tuple(words)
    suggestion = closest(value, known) if isinstance(value, str) else ""
    remedy = suggestion or f"; write {format_list(known, 'or')}"
    what = re.sub("(?<=[a-z])(?=[A-Z])", " ", kind.__name__).lower()
    raise ValueError(f"{show(value)} is not {'an' if what[0] in 'aeiou' else 'a'} {what}{remedy}")


def written_word(member: Enum) -> str:
    """Return the word for an enum's member in the file."""
    return str(member.value) if isinstance(member.value, str) else member.name.lower()


def parse_name(value: object) -> Name:
    """Parse a name: lower-case letters, digits, `_` and `-`."""
    text = parse_text(value)
    if not re.fullmatch(NAME, text):
        made = re.sub(r"[^a-z0-9_-]+", "-", text[:_LONGEST_SHOWN].lower()).strip("-_")
        example = f", like {show(made)}" if made else ""
        raise ValueError(f"{show(text)} is not a name; use lower-case letters, digits, - and _{example}")
    return Name(text)


def parse_address(value: object) -> Address:
    """Parse a mail address or empty text."""
    text = parse_text(value)
    if text and not is_address(text):
        raise ValueError(f"{show(text)} is not a mail address; write one like dana@example.com")
    return Address(text)


def parse_slack_id(value: object) -> SlackId:
    """Parse the id of a Slack member, user group or channel, alone or in a pasted mention or link."""
    return SlackId(parse_owner_id(parse_text(value)))


def parse_pattern(value: object) -> Pattern:
    """Parse a value or glob, with or without a leading `!`; refuse regular expressions."""
    text = parse_text(value)
    if operator := _OPERATOR.match(text):
        bare = text[operator.end() :].strip().replace(".*", "*")
        remedy = f"!{bare}" if operator[0].startswith("!") else bare
        raise ValueError(
            f"{show(text)}: {operator[0].strip()} is not needed; write the value or a glob, {show(remedy)}"
        )
    if _EXPRESSION.search(text):
        raise ValueError(f"{show(text)} is a regular expression; write globs (* ? [ab]), or a list of values")
    return Pattern(text)


def parse_label_name(value: object) -> LabelName:
    """Parse the name of a label, with Prometheus' syntax."""
    text = parse_text(value)
    if not re.fullmatch(LABEL_NAME, text):
        raise ValueError(f"{show(text)} is not a label name; use letters, digits and _, and no digit first")
    return LabelName(text)


def parse_variable_name(value: object) -> VariableName:
    """Parse the name of an environment variable; refuse a possible secret without quoting it."""
    if isinstance(value, str) and re.fullmatch(VARIABLE_NAME, value):
        return VariableName(value)
    raise ValueError(
        "this is not the name of an environment variable; write a name like NOVITA_PROD_KEY and set the secret there"
    )


def parse_url(value: object) -> Url:
    """Parse an http or https address; refuse one with user or password without quoting it."""
    text = parse_text(value)
    parts = split_http_url(text)
    if parts is not None and has_login(parts):
        raise ValueError("this address holds a user or password; secrets do not belong in this file")
    if parts is None:
        raise ValueError(f"{show(text)} is not an address; write it in full, like https://example.com/page")
    return Url(text)


def write_share(share: Fraction) -> str:
    """Return a share in the file's notation."""
    return f"{decimal_text(round(share * 100 * 10**10))}%"


def write_number(number: Fraction) -> int | float:
    """Return a number in the file's notation."""
    return int(number) if number.denominator == 1 else float(number)


def write_money(amount: int) -> int | float:
    """Return an amount in the file's notation."""
    return write_number(Fraction(amount, 10**10))


def write_duration(duration: timedelta) -> str:
    """Return a duration in the file's notation."""
    return format_duration(duration) if duration else "0m"
