"""Where Amazon SQS is and how to log in, from flags and environment; what its refusals mean."""

import argparse
from pathlib import Path

import pytest
from botocore.exceptions import ClientError, NoCredentialsError
from penstock.commands import connect_sqs
from penstock.connect.sqs.account import SqsAccount, account_answers, account_from, code_of, refusal_of
from penstock.connect.sqs.session import SqsSession
from penstock.errors import ConfigError
from pytest_httpserver import HTTPServer

ACCOUNT = SqsAccount("eu-west-1")


def account(env: dict[str, str], *words: str) -> SqsAccount:
    parser = argparse.ArgumentParser()
    connect_sqs.add_arguments(parser)
    return account_from(parser.parse_args(words), env)


def test_secrets_come_from_files_and_a_flag_is_stronger_than_the_environment(tmp_path: Path) -> None:
    (tmp_path / "sqs-access-key").write_text("lake\n")
    (tmp_path / "sqs-secret-key").write_text("secret\n")
    env = {"SQS_URL": "https://sqs.eu-west-1.amazonaws.com", "SECRETS_DIR": str(tmp_path)}
    found = account(env, "--url", "http://127.0.0.1:9324/")
    assert (found.url, found.access_key, found.secret_key) == ("http://127.0.0.1:9324", "lake", "secret")


@pytest.mark.parametrize(
    ("env", "region"),
    [
        ({"SQS_URL": "https://sqs.eu-west-1.amazonaws.com"}, "eu-west-1"),
        ({"SQS_URL": "https://sqs-fips.us-gov-west-1.amazonaws.com"}, "us-gov-west-1"),
        ({"SQS_URL": "https://sqs.cn-north-1.amazonaws.com.cn"}, "cn-north-1"),
        ({"SQS_URL": "http://elasticmq:9324"}, "us-east-1"),
        ({"SQS_URL": "http://elasticmq:9324", "AWS_REGION": "eu-north-1"}, "eu-north-1"),
        ({"AWS_REGION": "eu-north-1"}, "eu-north-1"),
    ],
)
def test_region_is_named_told_by_the_host_or_aws_own(env: dict[str, str], region: str) -> None:
    assert account(env).region == region


@pytest.mark.parametrize(
    ("env", "problem"),
    [
        ({}, "AWS_REGION: missing"),
        ({"SQS_URL": "sqs://host"}, "expected https://sqs.REGION.amazonaws.com or http://HOST:PORT"),
        ({"SQS_URL": "https://sqs.eu-west-1.amazonaws.com/1234/lake"}, "the name of the queue as the topic"),
        ({"SQS_URL": "http://h:x"}, "expected https://"),
        ({"AWS_REGION": "a", "SQS_ACCESS_KEY": "lake"}, "SQS_ACCESS_KEY and SQS_SECRET_KEY go together"),
        ({"AWS_REGION": "a", "SQS_VISIBILITY_SECONDS": "1"}, "SQS_VISIBILITY_SECONDS='1'"),
    ],
)
def test_what_cannot_work_is_refused_with_words(env: dict[str, str], problem: str) -> None:
    with pytest.raises(ConfigError) as refused:
        account(env)
    assert problem in str(refused.value)


def refused(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": ""}}, "ReceiveMessage")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("InvalidClientTokenId", "refused the login"),
        ("AWS.SimpleQueueService.InvalidClientTokenId", "refused the login"),
        ("SignatureDoesNotMatch", "refused the login"),
        ("ExpiredToken", "refused the login"),
        ("AccessDenied", "allow sqs:GetQueueUrl"),
        ("ServiceUnavailable", ""),
        ("RequestThrottled", ""),
    ],
)
def test_a_refusal_has_a_remedy_and_what_passes_has_none(code: str, words: str) -> None:
    said = refusal_of(refused(code), ACCOUNT)
    assert words in said
    assert bool(said) == bool(words)


def test_a_client_without_credentials_is_told_where_they_may_be() -> None:
    assert "set SQS_ACCESS_KEY and SQS_SECRET_KEY" in refusal_of(NoCredentialsError(), ACCOUNT)


def test_an_error_that_is_not_the_service_s_has_no_code() -> None:
    assert code_of(OSError("away")) == ""


def test_a_server_answers_where_it_only_denies_the_list(httpserver: HTTPServer) -> None:
    url = httpserver.url_for("").rstrip("/")
    denied = {"__type": "com.amazonaws.sqs#AccessDenied", "message": "not allowed"}
    httpserver.expect_ordered_request("/").respond_with_json(denied, 403)
    httpserver.expect_ordered_request("/").respond_with_json({"QueueUrls": []})
    httpserver.expect_ordered_request("/").respond_with_data("<html>", 503)
    found = SqsAccount("a", url, "lake", "secret")
    assert [account_answers(found) for _ in range(3)] == [True, True, False]
    assert not account_answers(SqsAccount("a", "http://127.0.0.1:9", "lake", "secret"))


def refused_by_sts(code: str, status: int, operation: str = "AssumeRoleWithWebIdentity") -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": ""}, "ResponseMetadata": {"HTTPStatusCode": status}},
        operation,
    )


@pytest.mark.parametrize("code", ["InvalidParameterValue", "InvalidIdentityToken", "AccessDenied", "ExpiredToken"])
def test_a_token_that_is_refused_is_not_taken_for_a_refusal_of_the_queue(code: str) -> None:
    """MinIO's STS says the first of these, AWS's the others."""
    said = refusal_of(refused_by_sts(code, 400), ACCOUNT)
    assert "check AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN" in said
    assert "sqs:GetQueueUrl" not in said


@pytest.mark.parametrize(("code", "status"), [("InternalError", 500), ("Throttling", 400)])
def test_a_service_for_tokens_that_cannot_answer_now_has_refused_nothing(code: str, status: int) -> None:
    assert refusal_of(refused_by_sts(code, status), ACCOUNT) == ""


def test_keys_that_have_ended_when_they_come_are_a_problem_of_clocks_and_not_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """botocore raises a RuntimeError for them, which ended the connector's thread for good."""

    def ended(_account: SqsAccount) -> None:
        raise RuntimeError("Credentials were refreshed, but the refreshed credentials are still expired.")

    monkeypatch.setattr("penstock.connect.sqs.session.connect_to", ended)
    session = SqsSession(ACCOUNT, 10, lambda *_: None, lambda _: None)
    assert session.connect_once().endswith("are still expired. Compare this machine's clock with that of the service.")
