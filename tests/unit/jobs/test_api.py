"""The REST calls, against an HTTP server that answers as the API does."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from penstock.errors import ConfigError
from penstock.jobs.access import ClusterAccess
from penstock.jobs.api import KubernetesApi, KubernetesError
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response
from werkzeug.serving import WSGIRequestHandler

JOBS = "/apis/batch/v1/namespaces/lake/jobs"


@pytest.fixture
def api(httpserver: HTTPServer) -> KubernetesApi:
    return KubernetesApi(ClusterAccess(httpserver.url_for("").rstrip("/"), "lake", token="abc"))


def test_a_job_is_created_strictly_and_with_the_token(api: KubernetesApi, httpserver: HTTPServer) -> None:
    httpserver.expect_request(
        JOBS,
        method="POST",
        query_string="fieldValidation=Strict",
        headers={"Authorization": "Bearer abc"},
        json={"kind": "Job"},
    ).respond_with_json({"kind": "Job", "metadata": {"uid": "1"}}, 201)
    assert api.create_job({"kind": "Job"})["metadata"]["uid"] == "1"


def test_a_list_is_read_page_by_page(api: KubernetesApi, httpserver: HTTPServer) -> None:
    def page(request: Request) -> Response:
        second = request.args.get("continue") == "more"
        metadata = {"resourceVersion": "7"} | ({} if second else {"continue": "more"})
        return Response(json.dumps({"items": [{"page": 2 if second else 1}], "metadata": metadata}))

    httpserver.expect_request(JOBS).respond_with_handler(page)
    assert api.list_jobs("penstock/function") == ([{"page": 1}, {"page": 2}], "7")


def test_a_refusal_has_the_status_and_the_words_of_the_api(api: KubernetesApi, httpserver: HTTPServer) -> None:
    status = {"kind": "Status", "reason": "AlreadyExists", "message": 'jobs.batch "a" already exists'}
    httpserver.expect_request(JOBS).respond_with_json(status, 409)
    with pytest.raises(KubernetesError, match="already exists") as refused:
        api.create_job({})
    assert (refused.value.code, refused.value.reason) == (409, "AlreadyExists")


@pytest.mark.parametrize(("body", "status"), [("<html>bad gateway", 502), ("[]", 500), ("", 302), ("[" * 100_000, 502)])
def test_what_stands_before_the_api_may_answer_anything(
    api: KubernetesApi, httpserver: HTTPServer, body: str, status: int
) -> None:
    httpserver.expect_request(f"{JOBS}/a").respond_with_data(body, status)
    with pytest.raises(KubernetesError) as refused:
        api.get_job("a")
    assert refused.value.code == status


@pytest.mark.parametrize("answer", ["hello", "{}", "[]", '{"metadata": 1}', "[" * 100_000])
def test_what_is_no_answer_of_kubernetes_is_an_error(api: KubernetesApi, httpserver: HTTPServer, answer: str) -> None:
    httpserver.expect_request(f"{JOBS}/a").respond_with_data(answer)
    httpserver.expect_request(JOBS).respond_with_data(answer)
    with pytest.raises(KubernetesError, match="not the answer of a Kubernetes API"):
        api.get_job("a")
    with pytest.raises(KubernetesError, match="not the answer of a Kubernetes API"):
        api.list_jobs("penstock/function")


def test_no_answer_is_an_error_without_a_code() -> None:
    with pytest.raises(KubernetesError, match="no answer") as failed:
        KubernetesApi(ClusterAccess("http://127.0.0.1:9", "lake")).get_job("a")
    assert failed.value.code == 0


def test_a_job_is_deleted_after_its_pods_and_only_if_it_is_the_one(api: KubernetesApi, httpserver: HTTPServer) -> None:
    httpserver.expect_request(f"{JOBS}/a", method="DELETE").respond_with_json(
        {"kind": "Status", "metadata": {}, "status": "Success"}
    )
    api.delete_job("a", "uid-1")
    sent = json.loads(httpserver.log[0][0].get_data())
    assert (sent["propagationPolicy"], sent["preconditions"]) == ("Foreground", {"uid": "uid-1"})


def test_a_job_that_is_gone_needs_no_deletion(api: KubernetesApi, httpserver: HTTPServer) -> None:
    httpserver.expect_request(f"{JOBS}/a").respond_with_json({"message": "not found"}, 404)
    api.delete_job("a", "uid-1")


def test_pods_come_oldest_first(api: KubernetesApi, httpserver: HTTPServer) -> None:
    pods = [{"metadata": {"name": name, "creationTimestamp": f"2026-01-0{name}T00:00:00Z"}} for name in "312"]
    httpserver.expect_request(
        "/api/v1/namespaces/lake/pods", query_string={"labelSelector": "batch.kubernetes.io/job-name=a"}
    ).respond_with_json({"metadata": {}, "items": pods})
    assert [pod["metadata"]["name"] for pod in api.pods_of("a")] == ["1", "2", "3"]


def test_a_log_that_is_no_text_is_read_all_the_same(api: KubernetesApi, httpserver: HTTPServer) -> None:
    path = "/api/v1/namespaces/lake/pods/a-1/log"
    httpserver.expect_request(path, query_string={"tailLines": "3"}).respond_with_data(b"\xffend\n")
    assert api.log_of("a-1", 3) == "\N{REPLACEMENT CHARACTER}end\n"


@pytest.fixture
def chunked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server answers as the API does: HTTP/1.1, an answer without a length in chunks."""
    monkeypatch.setattr(WSGIRequestHandler, "protocol_version", "HTTP/1.1")


@pytest.mark.usefixtures("chunked")
def test_a_watch_gives_changes_as_they_come(api: KubernetesApi, httpserver: HTTPServer) -> None:
    go_on = threading.Event()

    def lines() -> object:
        yield json.dumps({"type": "ADDED", "object": {"n": 1}}) + "\n"
        assert go_on.wait(10)
        yield json.dumps({"type": "MODIFIED", "object": {"n": 2}}) + "\n"

    httpserver.expect_request(JOBS).respond_with_handler(lambda _: Response(lines()))  # type: ignore[arg-type]
    changes = iter(api.watch_jobs("penstock/function", "7", 60))
    assert next(changes) == ("ADDED", {"n": 1})
    go_on.set()
    assert list(changes) == [("MODIFIED", {"n": 2})]
    asked = httpserver.log[0][0].args
    assert (asked["resourceVersion"], asked["timeoutSeconds"], asked["watch"]) == ("7", "60", "1")


def test_a_watch_that_is_too_old_says_so(api: KubernetesApi, httpserver: HTTPServer) -> None:
    error = {"type": "ERROR", "object": {"code": 410, "reason": "Expired", "message": "too old"}}
    httpserver.expect_request(JOBS).respond_with_data(json.dumps(error) + "\n")
    with pytest.raises(KubernetesError, match="too old") as ended:
        list(api.watch_jobs("penstock/function", "7", 60))
    assert ended.value.code == 410


@pytest.mark.usefixtures("chunked")
def test_a_watch_can_be_ended_while_another_thread_reads_it(api: KubernetesApi, httpserver: HTTPServer) -> None:
    go_on = threading.Event()

    def lines() -> object:
        yield json.dumps({"type": "ADDED", "object": {}}) + "\n"
        go_on.wait(10)

    httpserver.expect_request(JOBS).respond_with_handler(lambda _: Response(lines()))  # type: ignore[arg-type]
    watch = api.watch_jobs("penstock/function", "7", 60)
    ends: list[object] = []
    begun = threading.Event()

    def read() -> None:
        try:
            for change in watch:
                ends.append(change)
                begun.set()
        except KubernetesError as exc:
            ends.append(exc)

    reader = threading.Thread(target=read)
    reader.start()
    assert begun.wait(10)
    watch.close()
    reader.join(10)
    assert not reader.is_alive()
    go_on.set()


def test_a_token_file_that_went_away_is_a_config_error(httpserver: HTTPServer, tmp_path: Path) -> None:
    access = ClusterAccess(httpserver.url_for(""), "lake", token_file=tmp_path / "token")
    with pytest.raises(ConfigError, match="token: No such file"):
        KubernetesApi(access).get_job("a")
