"""A namespace with deploy/jobs in it, and a dead letter sink, for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from tests.components import KubernetesServer
from tests.integration.jobs.cluster import Letters, Namespace


@pytest.fixture
def letters(httpserver: HTTPServer) -> Letters:
    return Letters(httpserver)


@pytest.fixture
def namespace(kubernetes: KubernetesServer, unique_name: str, tmp_path: Path) -> Iterator[Namespace]:
    made = Namespace(kubernetes, unique_name, tmp_path)
    yield made
    kubernetes.endpoint.request("DELETE", f"{made.job_path()}?propagationPolicy=Background")
