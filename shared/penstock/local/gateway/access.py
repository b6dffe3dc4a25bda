"""Who may call what on the gateway, decided by the route that answers.

A check of the path before the routing can be passed by a path that the router reads differently, such as
`/%2fsystem/functions`. So the path is only checked for its form, and the password and the token are asked for after the
routing. A route that is not named as open asks for the password.
"""

import base64
import hmac
import re
import secrets
from dataclasses import dataclass, field
from typing import Any, Final

from flask import Flask, Response, redirect, request

from penstock.process.loopback import LOOPBACK, page_problem

# A browser sends a cookie to every port of a host: the port in its name keeps the session of one gateway or console
# from taking the place of another's.
_SESSION_COOKIE: Final = "penstock-session"
SESSION_COOKIES: Final = rf"{_SESSION_COOKIE}(-[0-9]+)?"
"""Matches the names of the sessions of all ports."""
EVENTS: Final = "events"
# Endpoints that ask for nothing: the way to the console, and what probes and Prometheus read.
OPEN: Final = frozenset({"home", "health", "scrape"})
_METHOD: Final = re.compile("[A-Za-z]{1,32}")
_CONTROL: Final = re.compile(r"[\x00-\x20\x7f]")


@dataclass(frozen=True, slots=True)
class Access:
    """What callers must show. Empty values ask for nothing.

    `password` belongs to the user `admin`, as in OpenFaaS, and guards every route that is not open; `token` is what
    MinIO sends to /events; `hosts` are the names under which a browser may reach the gateway.
    """

    token: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    hosts: frozenset[str] = LOOPBACK
    session: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)

    def refuses_request(self, environ: dict[str, Any]) -> tuple[str, str] | None:
        """Status line and reason when the request's form, Host or Origin is wrong; None when it may be routed."""
        path = environ["RAW_URI"].partition("?")[0]
        if problem := _malformed(environ):
            return "400 Bad Request", problem
        if not path.startswith("/") or environ.get("PATH_INFO", "").startswith("//"):
            return "400 Bad Request", "the path must begin with exactly one slash"
        if path == "/events" and self.token:
            return None  # a server on another machine sends here; its route asks for the token
        problem = page_problem(
            environ.get("HTTP_HOST", ""), environ.get("HTTP_ORIGIN", ""), self.hosts, server="this gateway"
        )
        if problem:
            return "403 Forbidden", problem
        return None

    def refuses_route(self, endpoint: str, authorization: str, session: str) -> str:
        """Why this caller may not use the route, or ""."""
        if endpoint in OPEN:
            return ""
        if endpoint == EVENTS:
            # MinIO sends a token of one word as `Bearer X`, one of two words as it is.
            accepted = (self.token, f"Bearer {self.token}")
            known = not self.token or any(_same(authorization, each) for each in accepted)
            return "" if known else "wrong or no token"
        wanted = "Basic " + base64.b64encode(f"admin:{self.password}".encode()).decode()
        if not self.password or _same(authorization, wanted) or _same(session, self.session):
            return ""
        return "log in as admin: faas-cli login --password-stdin"


def guard(app: Flask, access: Access) -> None:
    """Have `access` decide about every request that was routed in `app`."""

    @app.before_request
    def decide() -> Any:
        endpoint = request.endpoint
        if endpoint is None:
            return None  # no route: the answer is a 404 or 405
        if endpoint == "ui.show" and access.password and _same(request.args.get("password", ""), access.password):
            opened = redirect("/ui/", 303)
            # Behind a proxy that ends TLS, the browser keeps it from being sent in the clear.
            is_secure = request.headers.get("X-Forwarded-Proto", "") == "https"
            name = session_cookie(request.host)
            opened.set_cookie(name, access.session, httponly=True, samesite="Strict", secure=is_secure)
            return opened
        session = request.cookies.get(session_cookie(request.host), "")
        problem = access.refuses_route(endpoint, request.headers.get("Authorization", ""), session)
        if not problem:
            return None
        headers = {"WWW-Authenticate": 'Basic realm="penstock"'}
        return Response(f"{problem}\n", 401, headers, content_type="text/plain; charset=utf-8")


def session_cookie(host: str) -> str:
    """The name of the session's cookie at this Host, which is a name, and a port unless it is the scheme's own.

    >>> session_cookie("127.0.0.1:8080"), session_cookie("[::1]:8081"), session_cookie("lake.example")
    ('penstock-session-8080', 'penstock-session-8081', 'penstock-session')
    """
    port = host.rpartition("]")[2].partition(":")[2]
    return f"{_SESSION_COOKIE}-{port}" if port.isdecimal() else _SESSION_COOKIE


def _malformed(environ: dict[str, Any]) -> str:
    """What is wrong with the first line of a request that Werkzeug's server lets through, "" when nothing is."""
    if not _METHOD.fullmatch(environ["REQUEST_METHOD"]):
        return "the method is not a word"
    return "the path has a control character; percent-encode it" if _CONTROL.search(environ["RAW_URI"]) else ""


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode("utf-8", "replace"))
