"""The console's page and its files: all of them come with the package, so the page works without any other network."""

import mimetypes
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

from flask import Blueprint, Response, abort

# Nothing is loaded but from here, no script or style stands in the page, and no text becomes markup: `lit-html` is the
# name of the one policy under which lit-html parses its templates, which are parts of the scripts.
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types lit-html"
)
_HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    # The files are those of the package that runs now: after an update a page must not mix old and new ones.
    "Cache-Control": "no-cache",
}
_TYPES: Final = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}


def add_page(ui: Blueprint) -> None:
    """Answer / with the page and /files/... with what it loads."""
    known = dict(_walk(files("penstock.local.console").joinpath("files"), ""))

    @ui.get("/")
    def show() -> Response:
        return Response(known["index.html"].read_bytes(), headers=_HEADERS, content_type="text/html; charset=utf-8")

    @ui.get("/files/<path:name>")
    def file(name: str) -> Response:
        if name not in known:
            abort(404, f"{name[:80]!r} is not a file of the console")
        suffix = name[name.rfind(".") :]
        kind = _TYPES.get(suffix) or mimetypes.guess_type(name)[0] or "text/plain; charset=utf-8"
        return Response(known[name].read_bytes(), headers=_HEADERS, content_type=kind)


def _walk(folder: Traversable, prefix: str) -> list[tuple[str, Traversable]]:
    found = []
    for entry in folder.iterdir():
        name = prefix + entry.name
        found += _walk(entry, f"{name}/") if entry.is_dir() else [(name, entry)]
    return found
