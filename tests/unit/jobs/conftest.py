"""A function with large objects, and a cluster in memory for its Jobs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from penstock.handler.loading import Function, make_function
from penstock.jobs.offload import offload_to
from penstock.runtime.outcome import Offload
from penstock.settings.config import Config
from penstock.settings.environment import load_config
from penstock.types import ObjectRef, ObjectState

from tests.lake import Options, upper
from tests.unit.jobs.cluster import MemoryCluster


def large(key: str = "donors.csv", **changes: Any) -> ObjectState:
    return ObjectState(ObjectRef("upload", key), **{"size": 1 << 40, "etag": "e1", **changes})


@pytest.fixture
def job_settings(settings: Mapping[str, str]) -> dict[str, str]:
    """The settings of a function that hands large objects to Jobs."""
    return {**settings, "OFFLOAD_ABOVE_BYTES": "1000", "JOB_IMAGE": "registry.test/upper:1.0"}


@pytest.fixture
def make_config(job_settings: dict[str, str]) -> Callable[..., Config]:
    return lambda **changed: load_config({**job_settings, **changed})


@pytest.fixture
def make_upper() -> Callable[[Config], Function]:
    module = SimpleNamespace(__name__="handler", handle=upper, Options=Options)
    return lambda config: make_function(module, config)


@pytest.fixture
def cluster() -> MemoryCluster:
    return MemoryCluster()


@pytest.fixture
def offload(cluster: MemoryCluster, make_config: Callable[..., Config], make_upper: Callable[..., Function]) -> Offload:
    """The hook; each call is a second later than the one before."""
    config = make_config()
    assert config.jobs is not None

    def seconds() -> Iterator[datetime]:
        moment = datetime(2026, 1, 1, tzinfo=UTC)
        while True:
            yield moment
            moment += timedelta(seconds=1)

    clock = seconds()
    return offload_to(cluster, make_upper(config), config, config.jobs, lambda: next(clock))
