"""Slack's rules for blocks, as its documents state them: an oracle that shares no code with the layout."""

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

_DATE = r"!date\^[0-9]+\^\{date_short_pretty\} \{time\}\|[^<>|^]+>"
_SPECIAL = re.compile(rf"<(?!https?://[^\s<>|]+\|[^<>|]*>|{_DATE})")
_STYLE = re.compile(r"[*~`]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|:[a-z0-9_+-]+:|^&gt;", re.MULTILINE)
"""Text that Slack would format as bold, italic, struck through, code, an emoji or a quotation."""
_MENTION = re.compile(r"Owner: (?:<@[UW][A-Z0-9]{5,30}>|<!subteam\^S[A-Z0-9]{5,30}>)")
"""The only text that may mention somebody: on its own, so that no text from a bill is next to it."""
_ENTITY = re.compile(r"&(?!(?:amp|lt|gt);)")


def units(text: str) -> int:
    """Return the length in UTF-16 code units, as JavaScript and Java count."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def violations(blocks: list[dict[str, Any]]) -> list[str]:
    """Return a description of every rule that the blocks break."""
    found = [f"{len(blocks)} blocks"] if not 1 <= len(blocks) <= 50 else []
    if len(json.dumps(blocks)) > 12_000:
        found.append(f"{len(json.dumps(blocks))} characters of blocks")
    charts = sum(block["type"] == "data_visualization" for block in blocks)
    found += [f"{charts} charts"] if charts > 2 else []
    ids = [block["block_id"] for block in blocks if "block_id" in block]
    found += ["a block_id twice"] if len(set(ids)) < len(ids) else []
    found += [f"block_id of {len(each)}" for each in ids if not 1 <= len(each) <= 255]
    for index, block in enumerate(blocks):
        found += [f"{index}: {problem}" for problem in _block_problems(block)]
    return found


def texts(blocks: list[dict[str, Any]]) -> list[Mapping[str, Any]]:
    """Return every text object within the blocks."""
    return list(_text_objects(blocks))


def _text_objects(node: object) -> Iterator[Mapping[str, Any]]:
    if isinstance(node, Mapping):
        if node.get("type") in {"plain_text", "mrkdwn"}:
            yield node
        for value in node.values():
            yield from _text_objects(value)
    elif isinstance(node, list):
        for value in node:
            yield from _text_objects(value)


def _block_problems(block: Mapping[str, Any]) -> Iterator[str]:
    match block.get("type"):
        case "header":
            yield from _text_problems(block["text"], 150, {"plain_text"})
        case "section":
            yield from _section_problems(block)
        case "context":
            if not 1 <= len(block["elements"]) <= 10:
                yield f"{len(block['elements'])} elements"
            for element in block["elements"]:
                yield from _text_problems(element, 2000, {"plain_text", "mrkdwn"})
        case "actions":
            yield from _actions_problems(block["elements"])
        case "data_visualization":
            yield from _chart_problems(block)
        case other:
            yield f"unknown type {other}"
    own = {"title", "chart"} if block.get("type") == "data_visualization" else {"text", "fields", "elements"}
    if extra := set(block) - {"type", "block_id", *own}:
        yield f"unknown keys {sorted(extra)}"


def _section_problems(block: Mapping[str, Any]) -> Iterator[str]:
    if "text" not in block and "fields" not in block:
        yield "section with nothing"
    if "text" in block:
        yield from _text_problems(block["text"], 3000, {"plain_text", "mrkdwn"})
    fields = block.get("fields", [])
    if "fields" in block and not 1 <= len(fields) <= 10:
        yield f"{len(fields)} fields"
    for field in fields:
        yield from _text_problems(field, 2000, {"plain_text", "mrkdwn"})


def _chart_problems(block: Mapping[str, Any]) -> Iterator[str]:
    """Yield violations of https://docs.slack.dev/reference/block-kit/blocks/data-visualization-block."""
    yield from _length_problems("title", block["title"], 50)
    chart = block["chart"]
    if chart["type"] not in {"line", "bar", "area"} or set(chart) != {"type", "series", "axis_config"}:
        yield f"chart of type {chart['type']} with {sorted(chart)}"
    axis, series = chart["axis_config"], chart["series"]
    categories = axis["categories"]
    for name in ("x_label", "y_label"):
        yield from _length_problems(name, axis[name], 50)
    if not 1 <= len(categories) <= 20 or len(set(categories)) < len(categories):
        yield f"categories {categories}"
    if not 1 <= len(series) <= 6 or len({each["name"] for each in series}) < len(series):
        yield f"series {[each['name'] for each in series]}"
    for each in series:
        yield from _length_problems("name of a series", each["name"], 20)
        if [point["label"] for point in each["data"]] != categories:
            yield f"points of {each['name']} that are not those of the categories"
        for point in each["data"]:
            yield from _length_problems("label", point["label"], 20)
            if type(point["value"]) not in {int, float} or not math.isfinite(point["value"]):
                yield f"value {point['value']!r}"


def _length_problems(what: str, text: object, limit: int) -> Iterator[str]:
    if not isinstance(text, str) or not 1 <= units(text) <= limit:
        yield f"{what} {text!r}, limit {limit}"


def _actions_problems(elements: list[Mapping[str, Any]]) -> Iterator[str]:
    if not 1 <= len(elements) <= 25:
        yield f"{len(elements)} elements"
    if len({element["action_id"] for element in elements}) < len(elements):
        yield "an action_id twice"
    for element in elements:
        yield from _element_problems(element)


def _element_problems(element: Mapping[str, Any]) -> Iterator[str]:
    if not 1 <= len(element["action_id"]) <= 255:
        yield f"action_id of {len(element['action_id'])}"
    match element["type"]:
        case "button":
            yield from _text_problems(element["text"], 75, {"plain_text"})
            if not 1 <= len(element["value"]) <= 2000:
                yield f"value of {len(element['value'])}"
            if element.get("style") not in {None, "primary", "danger"}:
                yield f"style {element['style']}"
            if asked := element.get("confirm"):
                for name, limit in (("title", 100), ("text", 300), ("confirm", 30), ("deny", 30)):
                    yield from _text_problems(asked[name], limit, {"plain_text"})
        case "static_select":
            yield from _text_problems(element["placeholder"], 150, {"plain_text"})
            if not 1 <= len(element["options"]) <= 100:
                yield f"{len(element['options'])} options"
            for option in element["options"]:
                yield from _text_problems(option["text"], 75, {"plain_text"})
                if not 1 <= len(option["value"]) <= 150:
                    yield f"option value of {len(option['value'])}"
        case other:
            yield f"unknown element {other}"


def _text_problems(text: Mapping[str, Any], limit: int, kinds: set[str]) -> Iterator[str]:
    if text.get("type") not in kinds:
        yield f"text of type {text.get('type')}"
    allowed = {"type", "text", "emoji"} if text.get("type") == "plain_text" else {"type", "text", "verbatim"}
    if extra := set(text) - allowed:
        yield f"unknown keys {sorted(extra)}"
    if not 1 <= units(text["text"]) <= limit:
        yield f"text of {units(text['text'])}, limit {limit}"
    if text["type"] == "plain_text" and "<!date" in text["text"]:
        yield f"a date that stays as it is written in {text['text'][:80]!r}"
    if text["type"] == "mrkdwn" and "<!date" in text["text"] and _STYLE.search(re.sub(f"<{_DATE}", "", text["text"])):
        yield f"style beside a date in {text['text'][:80]!r}"
    if text["type"] != "mrkdwn" or not _MENTION.fullmatch(text["text"]):
        yield from markup_problems(text["text"])


def markup_problems(text: str) -> Iterator[str]:
    """Yield text that Slack would read as a mention or a broken escape."""
    if _SPECIAL.search(text):
        yield f"unescaped < in {text[:80]!r}"
    if _ENTITY.search(text):
        yield f"unescaped & in {text[:80]!r}"
    if re.search(r"@(?:here|channel|everyone)\b", text, re.IGNORECASE):
        yield f"a broadcast in {text[:80]!r}"
