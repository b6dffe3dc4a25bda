"""Real search servers: OpenSearch 2.19 and 3.5, and Elasticsearch 7.10.2, each one node."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import urllib3

from tests.components.http import HttpError, request_json
from tests.components.install import HERE, JavaLibrary, java
from tests.components.process import LOOPBACK, Server, free_ports

OPENSEARCH = JavaLibrary("opensearch", HERE / "java" / "opensearch")
OPENSEARCH_3 = JavaLibrary("opensearch3", HERE / "java" / "opensearch3", HERE / "java" / "opensearch", version=21)
ELASTICSEARCH = JavaLibrary("elasticsearch", HERE / "java" / "elasticsearch")


@dataclass(frozen=True, slots=True)
class SearchEndpoint:
    """What a client needs: plain HTTP, no credentials."""

    url: str

    def request(self, method: str, path: str, body: object = None) -> Any:
        """Send JSON and return the parsed answer; an HTTP error status raises HttpError."""
        return request_json(method, f"{self.url}{path}", body)


class _SearchServer(Server[SearchEndpoint]):
    library: JavaLibrary
    java_options: tuple[str, ...] = ()

    def install(self) -> None:
        self._jars = self.library.install()

    def prepare(self) -> SearchEndpoint:
        self.port, self._transport_port = free_ports(2)
        return SearchEndpoint(f"http://{LOOPBACK}:{self.port}")

    def launch(self) -> None:
        # -Xmx256m is enough for the tests' small indices (measured: about 280 MB resident).
        command = java(self._jars, "-Xmx256m", *self.java_options, version=self.library.version)
        self.run(self.name, [*command, "Launcher", str(self.port), str(self._transport_port), self.folder / "node"])

    def is_ready(self) -> bool:
        if not self.listens_on(self.port):
            return False
        try:
            # Yellow: every index that survived a restart has its primary shard, so searches answer.
            health = self.endpoint.request("GET", "/_cluster/health?wait_for_status=yellow&timeout=1s")
        except (HttpError, urllib3.exceptions.HTTPError):
            return False
        return health["status"] in ("yellow", "green")


class OpenSearchServer(_SearchServer):
    """OpenSearch; MinIO's Elasticsearch target refuses it, because it checks the product."""

    name = "opensearch"
    library = OPENSEARCH


class OpenSearch3Server(OpenSearchServer):
    """The same of today, which wants Java 21."""

    name = "opensearch3"
    library = OPENSEARCH_3


class ElasticsearchServer(_SearchServer):
    """Elasticsearch 7.10.2, the last under the Apache licence; MinIO's Elasticsearch target accepts it."""

    name = "elasticsearch"
    library = ELASTICSEARCH
    # The product check of the Go client wants build_flavor "default"; embedded nodes say "unknown" without these.
    java_options = ("-Des.distribution.flavor=default", "-Des.distribution.type=tar")
