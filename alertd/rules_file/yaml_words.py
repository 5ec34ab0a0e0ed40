"""Error messages of the YAML library in words for the file's author."""

import re

import yaml

_REMEDIES = (
    # The first match wins; libyaml and the pure Python parser word some errors differently.
    (r"cannot start any token", 'this character cannot begin a value; put the value in "quotes"'),
    (r"tab character", "a tab cannot indent; use spaces"),
    (
        r"mapping values are not allowed",
        'a ":" is not expected here; check the indentation, or put the text in "quotes"',
    ),
    (r"sequence entries are not allowed", 'a "-" is not expected here; begin the list on the next line'),
    (r"could not find expected ':'", 'a ":" is missing after this key, or a line is indented wrongly'),
    (r"flow sequence", 'this list is not closed, or a "," is missing in it'),
    (r"flow mapping", 'this mapping is not closed, or a "," is missing in it'),
    (r"parsing a block", "this does not fit the lines above: check the indentation, or a quote that ends too early"),
    (r"node content", "a value is missing or misplaced here"),
    (r"unexpected end of stream|unexpected document indicator", "the quote that opens here is never closed"),
    (r"quoted scalar", 'a "\\" is not understood in double quotes; use single quotes'),
    (r"scanning an? (anchor|alias)", "a name is missing after & or *; put the value in quotes if it is text"),
    (r"tag", "tags are not allowed; remove the !, or put the value in quotes if it is text"),
    (r"directive|incompatible YAML", "directives (%) are not needed; remove the line"),
    (r"<document start>", "this is outside the document; check the indentation"),
    (r"found unexpected ':'", 'a blank is missing after this ":", or the text needs "quotes"'),
    (r"indentation|empty line", "the indentation is not consistent"),
)
# Errors that are best shown where the construct begins, not where its end was expected.
_SHOWN_AT_BEGIN = re.compile(r"flow sequence|flow mapping|unexpected end of stream|unexpected document indicator")


def explain(error: yaml.YAMLError, text: str) -> tuple[int, int, str]:
    """Return line, column and text for an error of the YAML library, without quoting the file."""
    if not isinstance(error, yaml.MarkedYAMLError):
        return 1, 1, "the file is not YAML text"
    said = f"{error.context or ''}: {error.problem or ''}"
    mark = error.problem_mark or error.context_mark
    if error.context_mark is not None and _SHOWN_AT_BEGIN.search(said):
        mark = error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
    if "cannot start any token" in said and _character(text, line, column) == "\t":
        said = "tab character"
    words = next((remedy for pattern, remedy in _REMEDIES if re.search(pattern, said)), None)
    return line, column, f"not valid YAML: {words or 'this cannot be read; check quotes, brackets and indentation'}"


def _character(text: str, line: int, column: int) -> str:
    lines = text.split("\n", line)
    return lines[line - 1][column - 1 : column] if line <= len(lines) else ""
