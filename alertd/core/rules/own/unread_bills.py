"""
alertd's alert about itself that the bills of an account cannot be read, so that its spend is not watched.

It is not in the rules file: it needs no configuration, cannot be forgotten, and goes to the default receivers.
"""

from collections.abc import Collection
from datetime import timedelta
from typing import ClassVar

from alertd.core.alert import Sample, Unit
from alertd.core.dataclass import dataclass
from alertd.core.labels import Labels
from alertd.core.rules.base import Rule
from alertd.core.rules.data_stale import hours_of, last_read, read_edge, unread_since
from alertd.core.rules.facts import Facts
from alertd.core.severity import Severity
from alertd.core.spend.ledger import CategoryBook
from alertd.core.words import format_age

NAME = "alertd-blind"
"""Reserved: no rule of a rules file may have it."""
_POLLS_MISSED = 2


@dataclass(frozen=True, kw_only=True)
class Blindness(Rule):
    """Fire when an account had no complete read for two poll intervals plus the settle delay, or its key is refused."""

    TYPE: ClassVar[str] = "blind"
    HELP: ClassVar[str] = "Hours since the last complete read of an account."
    ADVICE: ClassVar[str] = (
        "Run `alertd check --online` beside alertd: it asks the API with this account's key and says what is wrong. "
        "Replace the key where it is refused, let requests through where a firewall or proxy stops them, and wait "
        "where Novita itself fails. Until bills are read again no new spend raises an alert: look in the console."
    )
    NOT_REPLAYED: ClassVar[str] = "it depends on reads, not on bills"
    GROUP: ClassVar[tuple[str, ...]] = ("account",)

    limit: timedelta

    @classmethod
    def watching(cls, *, poll_interval: timedelta, settle_delay: timedelta, notify: tuple[str, ...]) -> "Blindness":
        """Build the rule from the settings."""
        return cls(
            name=NAME,
            description="alertd watches itself: this account's bills cannot be read.",
            limit=_POLLS_MISSED * poll_interval + settle_delay,
            notify=notify,
        )

    def evaluate(self, facts: Facts, watched: Collection[Labels]) -> list[Sample]:
        """Judge every account that is polled."""
        accounts: dict[str, list[CategoryBook]] = {}
        for book in facts.data.books.values():
            accounts.setdefault(book.account, []).append(book)
        samples = [self._sample(facts, account, books) for account, books in accounts.items()]
        return [sample for sample in samples if sample.reached is not None or sample.group in watched]

    def _sample(self, facts: Facts, account: str, books: list[CategoryBook]) -> Sample:
        refused = facts.refused.get(account)
        age = facts.now - unread_since(facts, books)
        is_blind = refused is not None or age >= self.limit
        reached = Severity.CRITICAL if is_blind else None
        return Sample(
            group=(("account", account),),
            labels=(("account", account),),
            account=account,
            headline=_headline(account, age, is_refused=refused is not None, is_blind=is_blind),
            value=hours_of(age),
            unit=Unit.HOURS,
            reached=reached,
            held=reached,
            # A refused key fires before the threshold: next to a smaller value the threshold would look like a mistake.
            thresholds=((Severity.CRITICAL, hours_of(self.limit)),) if refused is None or age >= self.limit else (),
            as_of=read_edge(facts, books),
            is_complete=True,
            facts=_reasons(books, refused),
        )


def _headline(account: str, age: timedelta, *, is_refused: bool, is_blind: bool) -> str:
    if not is_blind:
        return f'The bills of account "{account}" can be read again'
    lasting = f" for {format_age(age)}" if age >= timedelta(minutes=1) else ""
    why = "the API refuses its key" if is_refused else "no complete read"
    return f'alertd cannot read the bills of account "{account}"{lasting}: {why}'


def _reasons(books: list[CategoryBook], refused: str | None) -> tuple[tuple[str, str], ...]:
    if refused is not None:
        return (("What to do", refused),)
    failing = sorted((book for book in books if book.error), key=lambda book: book.category)
    return tuple((book.category, last_read(book)) for book in failing)[:5]
