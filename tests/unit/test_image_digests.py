"""`make digests` pins the images of other projects in deploy/, and writes nothing when one has no digest."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests import digests
from tests.digests import Image, images_in
from tests.paths import DEPLOY

DIGEST = f"sha256:{'a' * 64}"
Answer = Callable[[Request], Response]


def answer_with(digest: str = DIGEST) -> Answer:
    return lambda _: Response(headers={"Docker-Content-Digest": digest})


@pytest.fixture
def manifest(tmp_path: Path, httpserver: HTTPServer) -> Path:
    path = tmp_path / "one" / "manifest.yaml"
    path.parent.mkdir()
    here = f"{httpserver.host}:{httpserver.port}"
    path.write_text(
        f"containers:\n  - image: {here}/team/server:1.2.3\n"
        f"  - name: second\n    image: {here}/library/other:2@sha256:{'0' * 64}\n"
        "  - image: registry.example.com/penstock:0.1.0\n  - image: penstock\n"
    )
    return path


def test_each_image_is_pinned_and_renewed(manifest: Path, httpserver: HTTPServer) -> None:
    for name in ("team/server/manifests/1.2.3", "library/other/manifests/2"):
        httpserver.expect_request(f"/v2/{name}", method="HEAD").respond_with_handler(answer_with())
    assert digests.main(manifest.parent.parent) == 0
    assert [each.digest for each in images_in(manifest.read_text())] == [DIGEST, DIGEST]
    assert "image: registry.example.com/penstock:0.1.0\n" in manifest.read_text()
    before = manifest.read_text()
    assert digests.main(manifest.parent.parent) == 0
    assert manifest.read_text() == before


def test_a_registry_that_wants_a_token_gets_one(manifest: Path, httpserver: HTTPServer) -> None:
    challenge = f'Bearer realm="{httpserver.url_for("/token")}",service="here",scope="repository:x:pull"'

    def manifests(request: Request) -> Response:
        if request.headers.get("Authorization") != "Bearer given":
            return Response(status=401, headers={"WWW-Authenticate": challenge})
        return answer_with()(request)

    for name in ("team/server/manifests/1.2.3", "library/other/manifests/2"):
        httpserver.expect_request(f"/v2/{name}", method="HEAD").respond_with_handler(manifests)
    query = {"service": "here", "scope": "repository:x:pull"}
    httpserver.expect_request("/token", query_string=query).respond_with_json({"token": "given"})
    assert digests.main(manifest.parent.parent) == 0


@pytest.mark.parametrize("answer", [answer_with("sha256:12"), answer_with(""), lambda _: Response(status=404)])
def test_without_a_digest_nothing_is_written(
    manifest: Path, httpserver: HTTPServer, answer: Answer, capsys: pytest.CaptureFixture[str]
) -> None:
    httpserver.expect_request("/v2/team/server/manifests/1.2.3").respond_with_handler(answer)
    httpserver.expect_request("/v2/library/other/manifests/2").respond_with_handler(answer_with())
    before = manifest.read_text()
    assert digests.main(manifest.parent.parent) == 1
    assert manifest.read_text() == before
    said = capsys.readouterr().err
    assert "team/server:1.2.3: " in said
    assert "nothing was changed" in said


def test_a_registry_that_cannot_be_reached_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "manifest.yaml").write_text("image: 127.0.0.1:9/team/server:1\n")
    assert digests.main(tmp_path) == 1
    assert "127.0.0.1:9 cannot be reached" in capsys.readouterr().err


def test_every_image_of_another_project_is_found_and_has_a_tag() -> None:
    found = {image for path in DEPLOY.rglob("*.yaml") for image in images_in(path.read_text(encoding="utf-8"))}
    assert {image.repository for image in found} == {
        *("minio/minio", "opensearchproject/opensearch", "library/eclipse-mosquitto"),
        *("adobe/koperator/kafka", "pgsty/silo"),
    }
    assert Image("quay.io", "minio/minio", "RELEASE.2025-09-07T16-13-09Z") in {
        Image(each.registry, each.repository, each.tag) for each in found
    }


def test_every_image_of_another_project_is_pinned() -> None:
    """`make digests` pins those of the walk-through's Kafka too, where their registry answers."""
    paths = [path for path in DEPLOY.rglob("*.yaml") if "historical" not in path.parts]
    images = [image for path in paths for image in images_in(path.read_text(encoding="utf-8"))]
    assert images
    assert [str(image) for image in images if not image.digest] == []
