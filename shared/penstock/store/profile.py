"""Which kind of store answers at an endpoint, by the name that it gives itself.

Nothing in the way objects are read and written depends on it: what a listing does not tell is asked for, and what a
store refuses is said. The profile is for what no answer tells: what a key in an event means (STORE_PROFILE), and what
`penstock doctor` says.
"""

import ssl
import urllib.request
from collections.abc import Mapping
from email.message import Message
from http.client import HTTPException
from typing import Final

from penstock.settings.config import StoreSettings

_ANSWER_SECONDS: Final = 10
# The beginning of the `Server` header of each, in lower case. Silo and AIStor call themselves MinIO.
_SERVERS: Final[Mapping[str, str]] = {
    "minio": "minio",
    "rustfs": "rustfs",
    "versitygw": "versity",
    "seaweedfs": "seaweedfs",
    "amazons3": "aws",
    "s3proxy": "s3proxy",
    "ceph": "ceph",
    "garage": "garage",
    "uploadserver": "gcs",
}


def answer_headers(settings: StoreSettings) -> Mapping[str, str] | Message:
    """The headers of the answer to a request without a signature; empty without an answer.

    A refusal has them too, and so has a redirect, which is not followed: AWS's leads to a page about S3.
    """
    context = ssl.create_default_context(cafile=str(settings.ca_file)) if settings.ca_file else None
    opener = urllib.request.OpenerDirector()  # without the handlers that follow redirects and raise for statuses
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(context=context),
    ):
        opener.add_handler(handler)
    try:
        with opener.open(settings.endpoint, timeout=_ANSWER_SECONDS) as answer:
            headers: Message = answer.headers
            return headers
    except (OSError, HTTPException):  # no answer, or none in HTTP
        return {}


def profile_of(headers: Mapping[str, str] | Message) -> str:
    """The profile that an answer's headers name, `s3` for one that is not known.

    >>> profile_of({"Server": "SeaweedFS 8000GB 4.48"})
    'seaweedfs'
    """
    server = str(headers.get("Server") or "").lower()
    for start, profile in _SERVERS.items():
        if server.startswith(start):
            return profile
    # Ceph's gateway names itself in no header; its request ids begin with "tx".
    if str(headers.get("x-amz-request-id") or "").startswith("tx0"):
        return "ceph"
    return "s3"
