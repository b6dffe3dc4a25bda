"""Flask's response for applications whose texts are no web pages."""

from flask import Response


class TextResponse(Response):
    """An answer that is plain text unless it says otherwise; Flask's is HTML."""

    default_mimetype = "text/plain"
