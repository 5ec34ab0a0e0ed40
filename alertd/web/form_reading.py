"""Reads the form that a request carries: whatever is wrong with its bytes is the sender's mistake, answered as such."""

from collections.abc import Mapping

from aiohttp import web

_CHARSETS = frozenset({"utf-8", "utf8", "us-ascii", "ascii", "iso-8859-1", "latin-1", "latin1"})
"""Those of browsers and scripts. Others may decode to what is no text, or take long."""


async def read_form(request: web.Request) -> Mapping[str, str]:
    """
    Return the fields of a form, the first of each name; none where the request carries something else.

    Raises:
        HTTPUnsupportedMediaType: Its text is in a charset that is not read here.
        HTTPBadRequest: It is no form, though it says so.
        HTTPRequestEntityTooLarge: It is larger than any form of ours.
    """
    try:
        is_known = (request.charset or "utf-8").lower() in _CHARSETS
        # What cannot be written again is no text; histories and logs would fail at it.
        pairs = [
            (name.encode().decode(), text.encode().decode())
            for name, text in ((await request.post()).items() if is_known else ())
            if isinstance(text, str)
        ]
    except ConnectionError as error:
        # Nobody reads the answer any more; the log has a line of it, as of everything that is malformed.
        raise web.HTTPBadRequest(reason="the form was cut off") from error
    except (web.HTTPException, OSError, TimeoutError):
        raise
    except Exception as error:
        # Parsers of forms raise whatever their codecs, decompressors and assertions do.
        raise web.HTTPBadRequest(reason=f"the form cannot be read ({type(error).__name__})") from error
    if not is_known:
        raise web.HTTPUnsupportedMediaType(reason="the form's charset is not UTF-8")
    return dict(reversed(pairs))
