"""deploy/search, its files as they are, in a real OpenSearch with its security plugin: TLS, users and their rights."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3
from penstock.errors import TemporaryError
from penstock.sinks.opensearch import OpenSearchSink
from penstock.types import ObjectRef

from tests.components.certificates import make_certificates
from tests.components.install import HERE, JavaLibrary, java
from tests.components.process import LOOPBACK, Server, free_ports
from tests.manifests import manifests
from tests.paths import DEPLOY, ROOT
from tests.sink_contract import MARK, put, read

FOLDER = DEPLOY / "search"
LIBRARY = JavaLibrary("opensearch-security", HERE / "java" / "opensearch-security", version=21)
PASSWORDS = {"index": "index-secret", "admin": "admin-secret"}
[STATEFUL_SET] = [
    each.document["spec"]["template"]["spec"]
    for each in manifests()
    if each.file == "deploy/search/opensearch.yaml" and each.kind == "StatefulSet"
]


class ShippedOpenSearch(Server[str]):
    """The shipped configuration; only its address and its certificate are this machine's. The endpoint is its URL."""

    name = "opensearch"

    def install(self) -> None:
        self._library = LIBRARY.install()

    def prepare(self) -> str:
        self.port, self._transport_port = free_ports(2)
        self._config = self.folder / "config"
        self._config.mkdir()
        text = (FOLDER / "opensearch.yml").read_text(encoding="utf-8")
        text = text.replace("network.host: 0.0.0.0", f"network.host: {LOOPBACK}")
        (self._config / "opensearch.yml").write_text(text, encoding="utf-8")
        # What the image brings of its own, in the place of which the init container puts ours.
        security = self._config / "opensearch-security"
        security.mkdir()
        for name, kind in (("action_groups", "actiongroups"), ("tenants", "tenants"), ("nodes_dn", "nodesdn")):
            (security / f"{name}.yml").write_text(f"_meta: {{type: {kind}, config_version: 2}}\n", encoding="utf-8")
        for file in (FOLDER / "opensearch-security").iterdir():
            shutil.copy(file, security)
        made = make_certificates(self._config / "tls")
        self.ca_file = made.ca_file
        made.cert_file.rename(self._config / "tls" / "tls.crt")
        made.key_file.rename(self._config / "tls" / "tls.key")
        return f"https://{LOOPBACK}:{self.port}"

    def launch(self) -> None:
        [container] = STATEFUL_SET["containers"]
        users = {
            each["name"]: each["valueFrom"]["secretKeyRef"]["key"] for each in container["env"] if "valueFrom" in each
        }
        env = {name: PASSWORDS[key.removesuffix("-password")] for name, key in users.items()}
        command = java(self._library, "-Xmx384m", version=LIBRARY.version)
        home = self.folder / "home"
        arguments: list[str | Path] = [str(self.port), str(self._transport_port), home, self._config]
        self.run("opensearch", [*command, "SecureLauncher", *arguments], env)

    def is_ready(self) -> bool:
        """What the readiness probe of the StatefulSet asks."""
        [container] = STATEFUL_SET["containers"]
        probe = container["readinessProbe"]["httpGet"]
        assert probe["scheme"] == "HTTPS"
        try:
            return self.listens_on(self.port) and self.ask("", "GET", probe["path"]).status == 200
        except urllib3.exceptions.HTTPError:
            return False

    def ask(self, user: str, method: str, path: str, body: Any = None, password: str = "") -> urllib3.BaseHTTPResponse:
        credentials = f"{user}:{password or PASSWORDS[user]}" if user else None
        headers = urllib3.make_headers(basic_auth=credentials)
        with urllib3.PoolManager(ca_certs=str(self.ca_file), retries=False, timeout=60) as pool:
            return pool.request(method, f"{self.endpoint}{path}", headers=headers, json=body)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ShippedOpenSearch]:
    with ShippedOpenSearch(tmp_path_factory.mktemp("opensearch")) as started:
        yield started


def sink_of(server: ShippedOpenSearch, index: str = "processed", password: str = "") -> OpenSearchSink:
    return OpenSearchSink(
        server.endpoint, index, username="index", password=password or PASSWORDS["index"], ca_file=server.ca_file
    )


def test_the_function_s_user_may_do_all_that_the_index_needs(server: ShippedOpenSearch) -> None:
    with contextlib.closing(sink_of(server)) as sink:
        sink.check()
        first = put(sink, image={"width": 3})
        assert read(sink, first.address, MARK) == first
        second = put(sink, previous=first)
        assert [ref.key for ref, _ in sink.entries("upload", "", "")] == ["in/rose.jpg"]
        document = sink.document("upload", "in/rose.jpg")
        assert document is not None
        assert document["size"] == 12
        assert sink.search("rose")
        sink.remove(second.address, MARK, second)
        assert read(sink, sink.address(ObjectRef("upload", "in/rose.jpg"), None), MARK) is None


@pytest.mark.parametrize("index", ["another", ".opendistro_security"])
def test_the_function_s_user_reaches_no_other_index(server: ShippedOpenSearch, index: str) -> None:
    for method, path in (("GET", f"/{index}/_search"), ("PUT", f"/{index}/_doc/1"), ("DELETE", f"/{index}")):
        assert server.ask("index", method, path, {} if method == "PUT" else None).status == 403
    for path in ("/_plugins/_security/api/internalusers", "/_cat/indices", "/_nodes"):
        assert server.ask("index", "GET", path).status == 403


def test_no_way_of_asking_reaches_another_index(server: ShippedOpenSearch) -> None:
    """By patterns, by lists, inside bodies, by what spans indexes, and by what only an administrator may do."""
    assert server.ask("admin", "PUT", "/secret/_doc/1?refresh=true", {"word": "hidden"}).status == 201
    with contextlib.closing(sink_of(server)) as sink:
        sink.check()
        put(sink)
    asked: list[tuple[str, str, Any]] = [
        ("GET", "/_search", None),
        ("GET", "/_all/_search", None),
        ("GET", "/*/_search", None),
        ("GET", "/secret,processed/_search", None),
        ("GET", "/s*/_search", None),
        ("GET", "/processed,s*/_search", None),
        ("GET", "/secret/_doc/1", None),
        ("GET", "/secret/_count", None),
        ("GET", "/secret/_mapping", None),
        ("GET", "/_mget", {"docs": [{"_index": "secret", "_id": "1"}]}),
        ("POST", "/_msearch", None),
        ("POST", "/_reindex", {"source": {"index": "secret"}, "dest": {"index": "processed"}}),
        ("POST", "/_aliases", {"actions": [{"add": {"index": "secret", "alias": "processed-2"}}]}),
        ("PUT", "/processed/_alias/secret", None),
        ("POST", "/secret/_update/1", {"doc": {"word": "forged"}}),
        ("POST", "/secret/_delete_by_query", {"query": {"match_all": {}}}),
        ("POST", "/processed/_delete_by_query", {"query": {"match_all": {}}}),
        ("DELETE", "/processed", None),
        ("POST", "/processed/_close", None),
        ("PUT", "/processed/_settings", {"index": {"number_of_replicas": 9}}),
        ("PUT", "/_cluster/settings", {"transient": {}}),
        ("PUT", "/_snapshot/mine", {"type": "fs", "settings": {"location": "/tmp"}}),
        ("PUT", "/_ingest/pipeline/x", {"processors": []}),
        ("PUT", "/_scripts/x", {"script": {"lang": "painless", "source": "1"}}),
        ("PUT", "/_plugins/_security/api/internalusers/index", {"password": "x", "backend_roles": ["admin"]}),
        ("GET", "/_index_template", None),
        ("DELETE", "/_index_template/penstock", None),
        ("GET", "/_tasks", None),
    ]
    let_through = []
    for method, path, body in asked:
        answer = server.ask("index", method, path, body)
        # Of a list of documents the answer is 200, and each has its own refusal.
        is_refused = answer.status in (400, 403, 405) or b"security_exception" in answer.data
        if b"hidden" in answer.data or not is_refused:
            let_through.append((method, path, answer.status, answer.data[:300]))
    assert let_through == []
    lines = b'{"index": {"_index": "secret", "_id": "2"}}\n{"word": "forged"}\n'
    credentials = urllib3.make_headers(basic_auth=f"index:{PASSWORDS['index']}")
    with urllib3.PoolManager(ca_certs=str(server.ca_file), retries=False, timeout=60) as pool:
        headers = {**credentials, "Content-Type": "application/x-ndjson"}
        bulk = pool.request("POST", f"{server.endpoint}/_bulk", headers=headers, body=lines)
    assert bulk.status == 403 or [each["index"]["status"] for each in bulk.json()["items"]] == [403]
    assert server.ask("admin", "GET", "/secret/_doc/1").json()["_source"] == {"word": "hidden"}
    assert server.ask("admin", "GET", "/secret/_doc/2").status == 404


def test_without_a_password_or_with_that_of_the_demo_nothing_is_told(server: ShippedOpenSearch) -> None:
    assert server.ask("", "GET", "/processed/_search").status == 401
    for user, password in (("index", "wrong"), ("admin", "admin"), ("kibanaserver", "kibanaserver")):
        assert server.ask(user, "GET", "/", password=password).status == 401
    assert server.ask("admin", "GET", "/_cat/indices").status == 200
    with (
        contextlib.closing(sink_of(server, password="wrong")) as sink,
        pytest.raises(TemporaryError, match="SINK_USERNAME"),
    ):
        sink.check()


def test_it_does_not_answer_without_tls(server: ShippedOpenSearch) -> None:
    with urllib3.PoolManager(retries=False, timeout=30) as pool, pytest.raises(urllib3.exceptions.HTTPError):
        pool.request("GET", f"http://{LOOPBACK}:{server.port}/")


def test_the_index_that_the_user_may_have_is_that_of_the_stack_file() -> None:
    text = (ROOT / "stack.yml").read_text(encoding="utf-8")
    assert "opensearch+https://opensearch.search.svc.cluster.local:9200/processed" in text
