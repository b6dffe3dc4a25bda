"""Where Amazon SQS is, or another server that speaks its protocol, and how to log in, from flags and environment."""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from penstock.connect import settings
from penstock.connect.settings import Flags
from penstock.errors import ConfigError
from penstock.settings.connector_table import AWS_REGION, SQS_URL, SQS_VISIBILITY_SECONDS
from penstock.settings.plaintext import has_login, warn_if_plain, without_login
from penstock.settings.secrets import read_secret

if TYPE_CHECKING:
    from botocore.client import BaseClient

POLL_SECONDS = 5
"""How long one request waits for messages."""
CONNECT_SECONDS = 5
# A server that is frozen keeps its connections open: a request without an answer for so long is given up.
_ANSWER_SECONDS = POLL_SECONDS
# As AWS names its hosts: https://docs.aws.amazon.com/general/latest/gr/sqs-service.html
_AWS_HOST = re.compile(r"sqs(?:-fips)?\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?")
# Errors of every AWS service: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html
_REFUSED_LOGIN = frozenset(
    {"InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch", "InvalidSignatureException"}
    | {"ExpiredToken", "ExpiredTokenException", "MissingAuthenticationToken", "IncompleteSignature", "OptInRequired"}
)
# A clock that is wrong, and a server that does not know the request: they say nothing of a queue.
_OF_EVERY_REQUEST = frozenset({"RequestExpired", "InvalidAction", "InvalidSecurity", "UnsupportedOperation"})
_THROTTLED = frozenset({"Throttling", "ThrottlingException", "RequestThrottled"})
DENIED = frozenset({"AccessDenied", "AccessDeniedException", "NotAuthorized"})
"""Codes of requests that the user's rights do not allow."""


@dataclass(frozen=True, slots=True)
class SqsAccount:
    """How to reach the queues of one account. Without keys, AWS's usual sources of credentials are asked.

    These are its variables, its files, a role by web identity, and the role of the machine. What a connector took comes
    to another one when it has given no sign of life for `visibility_seconds`.
    """

    region: str
    url: str = ""
    access_key: str = ""
    secret_key: str = field(default="", repr=False)
    ca_file: str | None = None
    visibility_seconds: int = SQS_VISIBILITY_SECONDS.default

    def __str__(self) -> str:
        return self.url or f"SQS in {self.region}"


def account_from(flags: Flags, env: Mapping[str, str]) -> SqsAccount:
    """The account of flags and environment; SQS_ACCESS_KEY and SQS_SECRET_KEY as secrets. Raises `ConfigError`."""
    url = (flags.url or SQS_URL.value(env)).rstrip("/")
    if url and not _is_endpoint(url):
        raise ConfigError(
            f"SQS_URL={without_login(url)!r}: expected https://sqs.REGION.amazonaws.com or http://HOST:PORT, the keys "
            "in settings of their own, and the name of the queue as the topic"
        )
    access_key, secret_key = read_secret(env, "SQS_ACCESS_KEY"), read_secret(env, "SQS_SECRET_KEY")
    if bool(access_key) != bool(secret_key):
        raise ConfigError(
            "SQS_ACCESS_KEY and SQS_SECRET_KEY go together; set both, or none for AWS's own sources of credentials"
        )
    if secret_key:
        warn_if_plain(url, "SQS_SECRET_KEY")
    return SqsAccount(
        _region(url, env),
        url,
        access_key,
        secret_key,
        settings.ca_file_from(flags, env),
        settings.given(flags, env, SQS_VISIBILITY_SECONDS),
    )


def connect_to(account: SqsAccount) -> "BaseClient":
    """A client that sends no request twice by itself; it may be used by several threads. Raises botocore's errors."""
    import botocore.session
    from botocore.config import Config

    # It logs each exchange of a token, and a trace for each that failed; the session says once what lasts.
    logging.getLogger("botocore").setLevel(logging.ERROR)
    keys: dict[str, Any] = {}
    if account.access_key:
        keys = {"aws_access_key_id": account.access_key, "aws_secret_access_key": account.secret_key}
    return botocore.session.Session().create_client(
        "sqs",
        region_name=account.region,
        endpoint_url=account.url or None,
        verify=account.ca_file,
        config=Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=POLL_SECONDS + _ANSWER_SECONDS,
            retries={"total_max_attempts": 1},
            user_agent_extra="penstock",
        ),
        **keys,
    )


def account_answers(account: SqsAccount) -> bool:
    """Whether the server answers a client that asks now, be it with a refusal; one that is frozen does not."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        connect_to(account).list_queues(MaxResults=1)
    except ClientError as exc:
        return code_of(exc) in DENIED and not is_of_sts(exc)
    except (BotoCoreError, OSError):
        return False
    return True


def code_of(exc: BaseException) -> str:
    """The code of an error that the service answered, without the prefix of its older protocol; else ""."""
    answer = getattr(exc, "response", None)
    if not isinstance(answer, dict):
        return ""
    return str(answer.get("Error", {}).get("Code", "")).rpartition(".")[2]


def refusal_of(exc: Exception, account: SqsAccount) -> str:
    """What the service refuses, with the remedy; "" when it only does not answer."""
    from botocore.exceptions import NoCredentialsError, PartialCredentialsError

    if isinstance(exc, (NoCredentialsError, PartialCredentialsError)):
        return f"{account}: no credentials; set SQS_ACCESS_KEY and SQS_SECRET_KEY, or one of AWS's own sources"
    code = code_of(exc)
    if is_of_sts(exc):
        return (
            f"{account}: the service that exchanges tokens for keys refused ({code}); check "
            "AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN"
        )
    if code in _REFUSED_LOGIN:
        return f"{account} refused the login ({code}); check SQS_ACCESS_KEY and SQS_SECRET_KEY"
    if code in DENIED:
        return (
            f"{account} refused a request; allow sqs:GetQueueUrl, ReceiveMessage, DeleteMessage and "
            "ChangeMessageVisibility for these queues"
        )
    return ""


def is_of_queue(exc: Exception) -> bool:
    """Whether the service refuses one queue, and not the login, each request for a while, or a token."""
    status = getattr(exc, "response", {}).get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    of_others = _REFUSED_LOGIN | _THROTTLED | _OF_EVERY_REQUEST
    return 400 <= status < 500 and not is_of_sts(exc) and code_of(exc) not in of_others


def is_of_sts(exc: Exception) -> bool:
    """Whether AWS's Security Token Service, or another one in its place, refused to give keys for a token."""
    answer = getattr(exc, "response", {}).get("ResponseMetadata", {})
    refused = 400 <= answer.get("HTTPStatusCode", 0) < 500 and code_of(exc) not in _THROTTLED
    return refused and getattr(exc, "operation_name", "").startswith("AssumeRole")


def _is_endpoint(url: str) -> bool:
    try:
        found = urlsplit(url)
        _ = found.port
    except ValueError:
        return False
    return (
        found.scheme in ("http", "https")
        and bool(found.hostname)
        and not has_login(url)
        and not (found.path or found.query or found.fragment)
    )


def _region(url: str, env: Mapping[str, str]) -> str:
    named = _AWS_HOST.fullmatch(urlsplit(url).hostname or "")
    region = named["region"] if named else AWS_REGION.value(env)
    if not region and not url:
        raise ConfigError("AWS_REGION: missing; set it, or SQS_URL=https://sqs.REGION.amazonaws.com")
    return region or "us-east-1"
