"""
Renders pages as HTML, and serves the files they load: one style sheet, one script, the chart library.

A file's path contains its digest, so that browsers can cache it for ever.
"""

import gzip
import hashlib
from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

from alertd import __version__
from alertd.core.local_time import Clock
from alertd.core.printable import UNSAFE, without_floods
from alertd.core.times import iso_instant
from alertd.core.words import and_more, format_instant

if TYPE_CHECKING:
    from jinja2 import Environment

_FOLDER = Path(__file__).parent
_TYPES: Mapping[str, str] = {
    "page.css": "text/css",
    "page.js": "text/javascript",
    "uplot.min.css": "text/css",
    "uplot.min.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
_FOR_GOOD = "public, max-age=31536000, immutable"


@cache
def _files() -> dict[str, bytes]:
    return {name: (_FOLDER / "static" / name).read_bytes() for name in _TYPES}


@cache
def _compressed() -> dict[str, bytes]:
    return {name: gzip.compress(content, mtime=0) for name, content in _files().items()}


@cache
def _digest() -> str:
    return hashlib.sha256(b"".join(_files().values())).hexdigest()[:12]


def _path_of(name: str) -> str:
    return f"/static/{_digest()}/{name}"


@cache
def _templates() -> "Environment":
    # Jinja2 is imported with the first page: most daemons are only scraped.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415

    environment = Environment(
        loader=FileSystemLoader(_FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["instant"] = format_instant
    environment.filters["iso"] = iso_instant
    environment.globals |= {"and_more": and_more, "static": _path_of, "version": __version__}
    return environment


def page(
    template: str, context: Mapping[str, object], *, clock: Clock | None = None, status: HTTPStatus = HTTPStatus.OK
) -> web.Response:
    """
    Return a page; every text in it is escaped.

    Args:
        clock: How instants are shown; UTC by default.
    """
    text = _templates().get_template(template).render(context)
    text = clock.localized(text) if clock is not None else text
    return web.Response(status=status, text=text, content_type="text/html")


async def answer_file(request: web.Request) -> web.Response:
    """Serve a file."""
    name = request.match_info["name"]
    if name not in _TYPES or request.match_info["digest"] != _digest():
        raise web.HTTPNotFound
    headers = {"Cache-Control": _FOR_GOOD, "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        headers["Content-Encoding"] = "gzip"
        return web.Response(body=_compressed()[name], content_type=_TYPES[name], headers=headers)
    return web.Response(body=_files()[name], content_type=_TYPES[name], headers=headers)


def _printable(value: object) -> object:
    """Return a text escaped for HTML, line by line; text that is markup already was escaped piece by piece."""
    if type(value) is not str or (value.isascii() and value.isprintable()):
        return value
    return "\n".join(UNSAFE.sub("\ufffd", without_floods(line)) for line in value.split("\n"))
