"""Tokens that stand in for keys: read anew, exchanged once, and never shown."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from penstock.errors import ConfigError, TemporaryError
from penstock.settings.config import StoreSettings, WebIdentity
from penstock.settings.environment import load_store_settings, read_config
from penstock.store.credentials import obstore_provider, provider_of
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

ANSWER = """<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>key-{number}</AccessKeyId>
<SecretAccessKey>secret</SecretAccessKey><SessionToken>session-{number}</SessionToken>
<Expiration>{until}</Expiration></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"""

Env = dict[str, str]


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text("token-1\n")
    return path


@pytest.fixture
def sts(httpserver: HTTPServer) -> Callable[..., list[dict[str, str]]]:
    """Starts an STS whose keys last for so many seconds; gives the queries that it gets."""

    def start(*lifetimes: float) -> list[dict[str, str]]:
        queries: list[dict[str, str]] = []

        def answer(request: Request) -> Response:
            seconds = lifetimes[min(len(queries), len(lifetimes) - 1)]
            queries.append(request.args.to_dict())
            until = (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
            return Response(ANSWER.format(number=len(queries), until=until))

        httpserver.expect_request("/", method="POST").respond_with_handler(answer)
        return queries

    return start


def settings_of(httpserver: HTTPServer, token_file: Path, role: str = "") -> StoreSettings:
    url = httpserver.url_for("").rstrip("/")
    return StoreSettings(url, "", "", web_identity=WebIdentity(token_file, url, role))


def test_token_is_exchanged_once_for_all_clients_and_threads(
    httpserver: HTTPServer, token_file: Path, sts: Callable[..., list[dict[str, str]]]
) -> None:
    queries, settings = sts(3600), settings_of(httpserver, token_file, "arn:aws:iam::1:role/reader")
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(provider_of(settings).retrieve())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for_obstore = obstore_provider(settings)()
    assert {one.access_key for one in found} == {"key-1"}
    assert (for_obstore["access_key_id"], for_obstore.get("token")) == ("key-1", "session-1")
    assert for_obstore["expires_at"] is not None
    assert for_obstore["expires_at"] > datetime.now(UTC) + timedelta(minutes=50)
    [query] = queries
    assert query == {
        "Action": "AssumeRoleWithWebIdentity",
        "Version": "2011-06-15",
        "WebIdentityToken": "token-1",
        "RoleArn": "arn:aws:iam::1:role/reader",
        "RoleSessionName": "penstock",
    }


def test_keys_that_end_are_renewed_with_the_token_that_lies_there_then(
    httpserver: HTTPServer, token_file: Path, sts: Callable[..., list[dict[str, str]]]
) -> None:
    queries = sts(1, 3600)
    provider = provider_of(settings_of(httpserver, token_file))
    assert provider.retrieve().access_key == "key-1"
    token_file.write_text("token-2")
    assert [provider.retrieve().access_key for _ in range(2)] == ["key-2", "key-2"]
    assert [query["WebIdentityToken"] for query in queries] == ["token-1", "token-2"]


@pytest.mark.parametrize("status", [400, 403, 500])
def test_refusal_names_the_file_and_not_the_token(httpserver: HTTPServer, token_file: Path, status: int) -> None:
    httpserver.expect_request("/").respond_with_data("<Error/>", status=status)
    with pytest.raises(TemporaryError) as caught:
        provider_of(settings_of(httpserver, token_file)).retrieve()
    assert f"AWS_WEB_IDENTITY_TOKEN_FILE={token_file}" in str(caught.value)
    chain = f"{caught.value}{caught.value.__cause__}"
    assert "token-1" not in chain


def test_answer_that_is_no_sts_answer(httpserver: HTTPServer, token_file: Path) -> None:
    httpserver.expect_request("/").respond_with_data("<html><body>Welcome</body>")
    with pytest.raises(TemporaryError, match="cannot be asked"):
        provider_of(settings_of(httpserver, token_file)).retrieve()


def test_file_that_is_gone_is_temporary(httpserver: HTTPServer, token_file: Path) -> None:
    provider = provider_of(settings_of(httpserver, token_file))
    token_file.unlink()
    with pytest.raises(TemporaryError, match="cannot be read: No such file"):
        provider.retrieve()


def env_of(token_file: Path, **more: str) -> Env:
    return {"MINIO_ENDPOINT": "http://minio:9000", "AWS_WEB_IDENTITY_TOKEN_FILE": str(token_file), **more}


def test_the_store_itself_exchanges_unless_another_is_named(token_file: Path) -> None:
    own = load_store_settings(env_of(token_file)).web_identity
    assert own == WebIdentity(token_file, "http://minio:9000")
    other = load_store_settings(env_of(token_file, AWS_ENDPOINT_URL_STS="https://sts.example/")).web_identity
    assert other == WebIdentity(token_file, "https://sts.example")


def test_aws_has_an_sts_for_each_region(token_file: Path) -> None:
    env = env_of(
        token_file,
        MINIO_ENDPOINT="https://s3.eu-central-1.amazonaws.com",
        MINIO_REGION="eu-central-1",
        AWS_ROLE_ARN="arn:aws:iam::1:role/reader",
    )
    found = load_store_settings(env).web_identity
    assert found == WebIdentity(token_file, "https://sts.eu-central-1.amazonaws.com", "arn:aws:iam::1:role/reader")
    del env["AWS_ROLE_ARN"]
    with pytest.raises(ConfigError, match="AWS_ROLE_ARN: not set"):
        load_store_settings(env)


def test_keys_win_over_a_token_that_the_platform_sets(token_file: Path) -> None:
    env = env_of(token_file, MINIO_ACCESS_KEY="reader", MINIO_SECRET_KEY="secret", MINIO_SESSION_TOKEN="session")
    found = load_store_settings(env)
    assert (found.access_key, found.session_token, found.web_identity) == ("reader", "session", None)
    assert "session" not in repr(found).replace("session_token", "")
    assert provider_of(found).retrieve().session_token == "session"


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"AWS_WEB_IDENTITY_TOKEN_FILE": "/not/there"}, "AWS_WEB_IDENTITY_TOKEN_FILE=/not/there: no such file"),
        ({"AWS_ENDPOINT_URL_STS": "sts.example"}, "AWS_ENDPOINT_URL_STS='sts.example': expected http://HOST:PORT"),
        ({"MINIO_ACCESS_KEY": "reader"}, "MINIO_SECRET_KEY: not set"),
    ],
)
def test_what_cannot_work_is_found_at_start(token_file: Path, more: Env, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_store_settings({**env_of(token_file), **more})
    assert problem in str(caught.value)


def test_jobs_need_no_keys_beside_a_token(token_file: Path) -> None:
    env = {**env_of(token_file), "FUNCTION_NAME": "f", "OFFLOAD_ABOVE_BYTES": "1", "JOB_IMAGE": "f:1"}
    config, problems = read_config(env)
    assert config.jobs is not None
    assert (problems, dict(config.jobs.secrets)) == ([], {})
