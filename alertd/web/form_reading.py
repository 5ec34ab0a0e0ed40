"""Reads the form of a request; malformed bytes are reported as the sender's mistake."""

from collections.abc import Mapping

from aiohttp import web

_CHARSETS = frozenset({"utf-8", "utf8", "us-ascii", "ascii", "iso-8859-1", "latin-1", "latin1"})
"""Charsets of browsers and scripts; others may decode to invalid text, or slowly."""


async def read_form(request: web.Request) -> Mapping[str, str]:
    """
    Return the fields of a form, the first of each name; empty if the request has no form.

    Raises:
        HTTPUnsupportedMediaType: Its charset is not supported.
        HTTPBadRequest: It is declared as a form but is not one.
        HTTPRequestEntityTooLarge: It is larger than any form of ours.
    """
    try:
        is_known = (request.charset or "utf-8").lower() in _CHARSETS
        # Text that cannot be encoded again would break histories and logs.
        pairs = [
            (name.encode().decode(), text.encode().decode())
            for name, text in ((await request.post()).items() if is_known else ())
            if isinstance(text, str)
        ]
    except ConnectionError as error:
        # Nobody reads the answer any more; it is logged like every malformed request.
        raise web.HTTPBadRequest(reason="the form was cut off") from error
    except (web.HTTPException, OSError, TimeoutError):
        raise
    except Exception as error:
        # Form parsers raise whatever their codecs, decompressors and assertions raise.
        raise web.HTTPBadRequest(reason=f"the form cannot be read ({type(error).__name__})") from error
    if not is_known:
        raise web.HTTPUnsupportedMediaType(reason="the form's charset is not UTF-8")
    return dict(reversed(pairs))
