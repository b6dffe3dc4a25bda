"""A small OpenID issuer on loopback: it publishes its key, and signs tokens with it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT = "penstock"


class OpenIdIssuer:
    """Its `url` is the issuer's name; MinIO reads `config_url` when it starts."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.config_url = f"{self.url}/.well-known/openid-configuration"
        self._key = RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"}, private=True)

    def token(self, seconds: float, **claims: Any) -> str:
        """A token that is valid for so long; `policy` names what its bearer may do on a MinIO."""
        now = int(time.time())
        told = {"iss": self.url, "aud": CLIENT, "sub": "reader", "iat": now, "exp": int(now + seconds), **claims}
        return jwt.encode({"alg": "RS256", "kid": "one"}, told, self._key)

    def documents(self) -> dict[str, Any]:
        """What it publishes, by path (OpenID Connect Discovery 1.0)."""
        return {
            "/.well-known/openid-configuration": {
                "issuer": self.url,
                "jwks_uri": f"{self.url}/keys",
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "id_token_signing_alg_values_supported": ["RS256"],
                "response_types_supported": ["id_token"],
                "subject_types_supported": ["public"],
            },
            "/keys": {"keys": [self._key.as_dict(private=False)]},
        }


@contextmanager
def openid_issuer() -> Iterator[OpenIdIssuer]:
    """An issuer that answers until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            document = issuer.documents().get(self.path)
            data = json.dumps(document).encode()
            self.send_response(404 if document is None else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    issuer = OpenIdIssuer(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield issuer
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
