"""Real search servers: OpenSearch 2.19 and 3.5, and Elasticsearch 7.10.2, 8.19 and 9.2, each one node."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3

from tests.components.http import HttpError, request_json
from tests.components.install import HERE, JavaLibrary, java
from tests.components.process import LOOPBACK, Server, free_ports

OPENSEARCH = JavaLibrary("opensearch", HERE / "java" / "opensearch")
OPENSEARCH_3 = JavaLibrary("opensearch3", HERE / "java" / "opensearch3", HERE / "java" / "opensearch", version=21)
ELASTICSEARCH = JavaLibrary("elasticsearch", HERE / "java" / "elasticsearch")
_LAUNCHERS = HERE / "java" / "elasticsearch9"
ELASTICSEARCH_8 = JavaLibrary("elasticsearch8", HERE / "java" / "elasticsearch8", _LAUNCHERS)
ELASTICSEARCH_9 = JavaLibrary("elasticsearch9", _LAUNCHERS, version=21)


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


class Elasticsearch9Server(_SearchServer):
    """Elasticsearch of today, without the parts of it that are in no registry: its REST root, scripts and X-Pack."""

    name = "elasticsearch9"
    library = ELASTICSEARCH_9
    version = "9.2.0"  # in java/elasticsearch9/pom.xml

    def prepare(self) -> SearchEndpoint:
        """Its home folder: modules with jars of their own, which may not be among the server's as well."""
        own, home = self.folder / "jars", self.folder / "node"
        transport, words = home / "modules" / "transport-netty4", home / "modules" / "words"
        for folder in (own, transport, words, home / "config", home / "plugins"):
            folder.mkdir(parents=True)
        for jar in self._jars.glob("*.jar"):
            is_of_transport = jar.name.startswith(("netty-", "transport-netty4-"))
            ((transport if is_of_transport else own) / jar.name).symlink_to(jar)
        (own / "Launcher.class").symlink_to(self._jars / "Launcher.class")
        with zipfile.ZipFile(words / "words.jar", "w") as archive:
            archive.write(self._jars / "Words.class", "Words.class")
        self._describe(transport, "org.elasticsearch.transport.netty4.Netty4Plugin")
        self._describe(words, "Words")
        self._jars = own
        return super().prepare()

    def _describe(self, module: Path, class_name: str) -> None:
        values = {
            "name": module.name,
            "description": module.name,
            "classname": class_name,
            "version": self.version,
            "elasticsearch.version": self.version,
            "java.version": str(self.library.version),
        }
        text = "".join(f"{key}={value}\n" for key, value in values.items())
        (module / "plugin-descriptor.properties").write_text(text, encoding="utf-8")


class Elasticsearch8Server(Elasticsearch9Server):
    """The last line of version 8, from the same parts."""

    name = "elasticsearch8"
    library = ELASTICSEARCH_8
    version = "8.19.0"  # in java/elasticsearch8/pom.xml
