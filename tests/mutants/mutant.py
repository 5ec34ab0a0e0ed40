"""One planted bug."""

from dataclasses import dataclass

from tests.mutants.planting import path_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A change of one module's text, and the promise that it breaks."""

    name: str
    module: str
    before: str
    """Exact text; of the table's mutants it occurs once in the module."""
    after: str
    breaks: str
    at: int | None = None
    """Where *before* begins, in characters; None where it occurs once."""
    tests: tuple[str, ...] = ()
    """Files or tests to run first, as those that are known to find it."""

    @property
    def start(self) -> int:
        """Where in the module's text the bug begins, in characters."""
        return self.at if self.at is not None else path_of(self.module).read_text(encoding="utf-8").index(self.before)

    def planted(self) -> str:
        """
        Return the module's text with the bug in it.

        Raises:
            ValueError: The text to be changed is not there, or is there more than once.
        """
        source = path_of(self.module).read_text(encoding="utf-8")
        if self.at is not None:
            end = self.at + len(self.before)
            if source[self.at : end] != self.before:
                raise ValueError(f"{self.name}: {self.module} has changed since the mutation was drawn; draw it again")
            return source[: self.at] + self.after + source[end:]
        if (count := source.count(self.before)) != 1:
            raise ValueError(
                f"{self.name}: {self.module} has {self.before!r} {count} times; change tests/mutants/table.py"
            )
        return source.replace(self.before, self.after)


def planted_bug(name: str, module: str, before: str, after: str, breaks: str, *tests: str) -> Mutant:
    """Return a bug of the table; its module is named without `alertd`."""
    return Mutant(name=name, module=f"alertd.{module}", before=before, after=after, breaks=breaks, tests=tests)
