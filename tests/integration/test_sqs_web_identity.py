"""The SQS connector without keys: tokens of an OpenID issuer, exchanged at a real STS, MinIO's.

ElasticMQ asks for no keys. So each request goes to it through a guard that takes only keys that the STS has issued.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import urllib3
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey
from penstock.connect.sqs.account import SqsAccount, connect_to
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.components import ElasticMqServer, MinioServer
from tests.components.openid import CLIENT, OpenIdIssuer, openid_issuer
from tests.integration.connect_helpers import QUICK, Penstock, RecordingFunction

QUEUE = "lake-upload"
# MinIO takes the policy from the token. AWS's clients ask for a role all the same.
ROLE = "arn:aws:iam::111122223333:role/connector"


@pytest.fixture(scope="module")
def issuer() -> Iterator[OpenIdIssuer]:
    with openid_issuer() as issuer:
        yield issuer


@pytest.fixture(scope="module")
def sts(issuer: OpenIdIssuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MinioServer]:
    env = {
        "MINIO_IDENTITY_OPENID_CONFIG_URL": issuer.config_url,
        "MINIO_IDENTITY_OPENID_CLIENT_ID": CLIENT,
        "MINIO_IDENTITY_OPENID_CLAIM_NAME": "policy",
    }
    with MinioServer(tmp_path_factory.mktemp("minio"), env=env) as server:
        yield server


@dataclass
class Guarded:
    """A queue behind a guard: `keys` are the access keys of the requests that passed, in order, each once."""

    url: str = ""
    direct: str = ""
    keys: list[str] = field(default_factory=list)
    refused: threading.Event = field(default_factory=threading.Event)

    def publish(self, body: str) -> None:
        client = connect_to(SqsAccount("us-east-1", self.direct, "any", "any-secret"))
        client.send_message(QueueUrl=client.create_queue(QueueName=QUEUE)["QueueUrl"], MessageBody=body)


@pytest.fixture
def guarded(sts: MinioServer, tmp_path: Path) -> Iterator[Guarded]:
    found = Guarded()
    signing = OctKey.import_key(sts.endpoint.secret_key)

    def guard(request: Request) -> Response:
        try:
            told = jwt.decode(request.headers.get("X-Amz-Security-Token", ""), signing, algorithms=["HS512"]).claims
            jwt.JWTClaimsRegistry().validate(told)
        except (JoseError, ValueError):
            told = {}
        [used] = re.findall(r"Credential=([^/,]+)", request.headers.get("Authorization", "Credential=none"))
        if told.get("accessKey") != used:
            found.refused.set()
            return Response('{"__type": "com.amazon.coral.service#ExpiredTokenException"}', 403)
        if used not in found.keys:
            found.keys.append(used)
        headers = {name: text for name, text in request.headers.items() if name not in ("Host", "Content-Length")}
        answer = urllib3.request("POST", found.direct, body=request.data, headers=headers, retries=False)
        return Response(answer.data, answer.status, content_type=answer.headers["Content-Type"])

    with ElasticMqServer(tmp_path / "elasticmq") as server, HTTPServer(threaded=True) as front:
        front.expect_request("/").respond_with_handler(guard)
        found.url, found.direct = front.url_for("").rstrip("/"), f"http://{server.endpoint.address}"
        yield found


def connect(guarded: Guarded, sts: MinioServer, folder: Path, to: str, token_file: Path) -> Penstock:
    env = {
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(token_file),
        "AWS_ROLE_ARN": ROLE,
        "AWS_ENDPOINT_URL_STS": sts.endpoint.url,
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    words = ("connect", "sqs", "--url", guarded.url, "--inbox", str(folder / "connector.db"))
    return Penstock("connector", folder, *words, "--to", f"{QUEUE}={to}", *QUICK, env=env)


def test_a_token_stands_in_for_keys_and_is_exchanged_anew_when_they_end(
    guarded: Guarded, sts: MinioServer, issuer: OpenIdIssuer, tmp_path: Path, function: RecordingFunction
) -> None:
    token_file = tmp_path / "token"
    token_file.write_text(issuer.token(20, policy="readwrite"))
    guarded.publish("one")
    connector = connect(guarded, sts, tmp_path, f"{function.url}/", token_file)
    connector.until(lambda: function.delivered() == [b"one"], "delivered")
    first = set(guarded.keys)

    token_file.write_text(issuer.token(600, policy="readwrite"))  # as Kubernetes does before the old one ends
    connector.until(lambda: bool(set(guarded.keys) - first), "keys of the new token", timeout_seconds=120)
    guarded.publish("two")
    connector.until(lambda: function.delivered() == [b"one", b"two"], "delivered with new keys")
    assert connector.end() == 0
    assert not guarded.refused.is_set()


def test_a_token_that_the_sts_does_not_trust_is_said_and_work_begins_with_the_right_one(
    guarded: Guarded, sts: MinioServer, issuer: OpenIdIssuer, tmp_path: Path, function: RecordingFunction
) -> None:
    token_file = tmp_path / "token"
    with openid_issuer() as stranger:
        token = stranger.token(600, policy="readwrite")
    token_file.write_text(token)
    guarded.publish("waits")
    connector = connect(guarded, sts, tmp_path, f"{function.url}/", token_file)
    said = "check AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN"
    connector.until(lambda: said in connector.text(), "said")
    assert not connector.is_ready()
    assert token not in connector.text()
    token_file.write_text(issuer.token(600, policy="readwrite"))
    connector.until(lambda: function.delivered() == [b"waits"], "delivered")
    assert connector.end() == 0


def test_a_token_file_that_is_not_there_yet_is_said_by_name(
    guarded: Guarded, sts: MinioServer, issuer: OpenIdIssuer, tmp_path: Path, function: RecordingFunction
) -> None:
    token_file = tmp_path / "token"
    guarded.publish("waits")
    connector = connect(guarded, sts, tmp_path, f"{function.url}/", token_file)
    connector.until(lambda: f"No such file or directory: '{token_file}'" in connector.text(), "said")
    token_file.write_text(issuer.token(600, policy="readwrite"))
    connector.until(lambda: function.delivered() == [b"waits"], "delivered")
    assert connector.end() == 0
