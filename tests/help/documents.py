"""The documents that people read: README, help pages, CONTRIBUTING; and what stands in them."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
CONTRIBUTING = ROOT / ".github" / "CONTRIBUTING.md"
PAGES = sorted((ROOT / "alertd" / "help").glob("*.md"))
DOCUMENTS = (README, CONTRIBUTING, *PAGES)
BLOCK = re.compile(r"^(?P<indent> *)```(?P<kind>\w+)\n(?P<body>.*?)^ *```", re.DOTALL | re.MULTILINE)


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def blocks(path: Path, kind: str) -> list[str]:
    """The bodies of a document's fenced blocks of a kind, without the indent of the list that they stand in."""
    found = (match for match in BLOCK.finditer(text_of(path)) if match["kind"] == kind)
    return [re.sub(rf"^{match['indent']}", "", match["body"], flags=re.MULTILINE) for match in found]


def prose(path: Path) -> str:
    """A document without its fenced blocks."""
    return BLOCK.sub("", text_of(path))


def anchors(path: Path) -> set[str]:
    """What links may name after `#`, as GitHub makes it from headings."""
    headings = re.findall(r"^#+ (.+)$", prose(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
