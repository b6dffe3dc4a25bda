"""OpenFaaS's `/system/secrets`: what `faas-cli secret list|create|update|remove` ask for.

Source of requests and answers: openfaas/go-sdk, client.go, and openfaas/faas-netes, pkg/handlers/secrets.go. A secret
is `{name, namespace, value, rawValue}`, where rawValue is base64 and comes before value. Values are never given back.
"""

import base64
import binascii
import json
from typing import Any

from flask import Blueprint, Response, request

from penstock.errors import EventError
from penstock.json_text import read_object
from penstock.local.functions.secret_files import SecretFiles
from penstock.local.gateway.deployments import NAMESPACE


def make_secrets_blueprint(files: SecretFiles) -> Blueprint:
    """The routes; errors are left to the application."""
    api = Blueprint("secrets", __name__, url_prefix="/system/secrets")

    @api.get("")
    def list_secrets() -> Response:
        _check_namespace(request.args.get("namespace", ""))
        listed = [{"name": name, "namespace": NAMESPACE} for name in files.names()]
        return Response(json.dumps(listed), content_type="application/json")

    @api.post("")
    def create() -> Response:
        files.create(*_secret())
        return Response(status=202)

    @api.put("")
    def replace() -> Response:
        files.replace(*_secret())
        return Response(status=202)

    @api.delete("")
    def remove() -> Response:
        files.remove(_secret()[0])
        return Response(status=202)

    return api


def _secret() -> tuple[str, bytes]:
    """Name and value of the request; raises `EventError`."""
    found = read_object(request.get_data(cache=False))
    name, value, raw = (_text(found, key) for key in ("name", "value", "rawValue"))
    _check_namespace(_text(found, "namespace"))
    if not name:
        raise EventError("name: missing; it names the secret")
    try:
        return name, base64.b64decode(raw, validate=True) if raw else value.encode()
    except (binascii.Error, UnicodeEncodeError):
        raise EventError("value: expected text, or base64 in rawValue") from None


def _text(found: dict[str, Any], key: str) -> str:
    value = found.get(key) or ""
    if not isinstance(value, str):
        raise EventError(f"{key}: expected text")
    return value


def _check_namespace(name: str) -> None:
    if name not in ("", NAMESPACE):
        raise EventError(f"namespace {name} is not allowed")
