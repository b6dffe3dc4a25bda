"""Takes the outcomes that `penstock bridge` tells, checks who sent them, and prints each once.

    OUTCOME_HMAC_KEY=whsec_... python examples/outcomes/receiver.py 8090

It needs Python's standard library only. Any library for Standard Webhooks checks the same signature.
"""

import base64
import hashlib
import hmac
import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEY = base64.b64decode(os.environ["OUTCOME_HMAC_KEY"].removeprefix("whsec_"))
TOLERANCE_SECONDS = 300

# The ids that were seen. An outcome may be told twice; a program that must not lose track keeps them in its database.
seen: set[str] = set()


def is_signed(headers, body: bytes) -> bool:
    """Whether the bridge signed this body within the last minutes."""
    message_id, seconds = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "0")
    if not seconds.isdecimal() or abs(time.time() - int(seconds)) > TOLERANCE_SECONDS:
        return False
    made = hmac.new(KEY, f"{message_id}.{seconds}.".encode() + body, hashlib.sha256).digest()
    wanted = b"v1," + base64.b64encode(made)
    given = headers.get("webhook-signature", "").encode().split(b" ")
    return any(hmac.compare_digest(each, wanted) for each in given)


class Receiver(BaseHTTPRequestHandler):
    """Answers 204 to what is signed and 401 to anything else."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if not is_signed(self.headers, body):
            self.send_response(401)
        else:
            self.send_response(204)
            if self.headers["ce-id"] not in seen:
                seen.add(self.headers["ce-id"])
                print(self.headers["ce-type"], json.dumps(json.loads(body)), flush=True)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Print outcomes only."""


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver).serve_forever()
