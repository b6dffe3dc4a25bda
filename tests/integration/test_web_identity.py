"""Credentials without keys on a real MinIO: tokens of an OpenID issuer, exchanged at the server's own STS."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from penstock.errors import TemporaryError
from penstock.settings.config import StoreSettings
from penstock.settings.environment import load_store_settings
from penstock.store.credentials import provider_of
from penstock.store.s3 import S3ObjectStore
from penstock.types import ObjectRef

from tests.components import MinioServer
from tests.components.openid import CLIENT, OpenIdIssuer, openid_issuer

REFS = [ObjectRef("upload", key) for key in ("a.txt", "odd\nkey.txt")]


@pytest.fixture(scope="module")
def issuer() -> Iterator[OpenIdIssuer]:
    with openid_issuer() as issuer:
        yield issuer


@pytest.fixture(scope="module", params=[False, True], ids=["http", "private CA"])
def server(
    request: pytest.FixtureRequest, issuer: OpenIdIssuer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MinioServer]:
    env = {
        "MINIO_IDENTITY_OPENID_CONFIG_URL": issuer.config_url,
        "MINIO_IDENTITY_OPENID_CLIENT_ID": CLIENT,
        "MINIO_IDENTITY_OPENID_CLAIM_NAME": "policy",
    }
    with MinioServer(tmp_path_factory.mktemp("minio"), env=env, tls=request.param) as server:
        server.endpoint.client().make_bucket("upload")
        yield server


def settings_of(server: MinioServer, token_file: Path) -> StoreSettings:
    """As a function reads them from its environment."""
    ca_file = server.endpoint.ca_file
    return load_store_settings(
        {
            "MINIO_ENDPOINT": server.endpoint.url,
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(token_file),
            **({"MINIO_CA_FILE": str(ca_file)} if ca_file else {}),
        }
    )


def work(store: S3ObjectStore, data: bytes) -> None:
    """Write, read, list and remove, by obstore, by signed URLs and by minio-py."""
    for ref in REFS:
        store.put(ref, [data], content_type="text/plain", metadata={})
        opened = store.open(ref)
        assert opened is not None
        assert b"".join(opened[1]) == data
    assert {state.ref for state in store.list("upload")} == set(REFS)
    for ref in REFS:
        store.delete(ref)
        assert store.stat(ref) is None


def refusal_of(settings: StoreSettings) -> str:
    """What the store says against a read with these settings, "" for nothing."""
    try:
        S3ObjectStore(settings).stat(REFS[0])
    except TemporaryError as exc:
        return str(exc)
    return ""


def test_token_stands_in_for_keys_and_is_exchanged_anew_when_they_end(
    server: MinioServer, issuer: OpenIdIssuer, tmp_path: Path
) -> None:
    token_file = tmp_path / "token"
    token_file.write_text(issuer.token(18, policy="readwrite"))
    settings = settings_of(server, token_file)
    store, provider = S3ObjectStore(settings), provider_of(settings)

    work(store, b"one")
    first = provider.retrieve()
    assert first.session_token
    # Keys that ended are refused, so what works later works with new ones.
    ended = replace(
        settings,
        web_identity=None,
        access_key=first.access_key,
        secret_key=first.secret_key,
        session_token=first.session_token,
    )
    work(S3ObjectStore(ended), b"with the session token itself")
    token_file.write_text(issuer.token(600, policy="readwrite"))
    server.wait_until(lambda: "session token whether it has ended" in refusal_of(ended), "the end of the keys", 120)

    work(store, b"two")
    assert provider.retrieve().access_key != first.access_key


def test_token_that_the_server_does_not_trust_is_named_and_never_shown(server: MinioServer, tmp_path: Path) -> None:
    token_file = tmp_path / "token"
    with openid_issuer() as stranger:
        token = stranger.token(600, policy="readwrite")
    token_file.write_text(token)
    store = S3ObjectStore(settings_of(server, token_file))
    for ref in REFS:
        with pytest.raises(TemporaryError) as caught:
            store.stat(ref)
        assert f"AWS_WEB_IDENTITY_TOKEN_FILE={token_file}" in str(caught.value)
        assert token not in str(caught.value)


def test_rights_are_those_of_the_token(server: MinioServer, issuer: OpenIdIssuer, tmp_path: Path) -> None:
    token_file = tmp_path / "token"
    token_file.write_text(issuer.token(600, policy="readonly"))
    store = S3ObjectStore(settings_of(server, token_file))
    with pytest.raises(TemporaryError, match="access denied"):
        store.put(REFS[0], [b"x"], content_type="text/plain", metadata={})
