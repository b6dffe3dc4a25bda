"""A new sink is one file: everything that reads a SINK works with one that Penstock has never heard of."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from penstock.delivery.inbox import Inbox
from penstock.errors import ConfigError
from penstock.jobs.manifest import job_manifest
from penstock.lake.graph import make_graph
from penstock.local.gateway.router import Router
from penstock.reconcile.engine import reconcile
from penstock.render.network import network_policies
from penstock.render.plan import make_plan
from penstock.render.service import function_documents
from penstock.serving.wiring import function_config, make_runtime
from penstock.settings.environment import load_config
from penstock.settings.stackfile import FunctionSpec, load_stack
from penstock.sinks.address import Address, parse_sink
from penstock.sinks.wiring import make_sink
from penstock.store.memory import MemoryStore
from penstock.types import ObjectRef, ObjectState

SINK = "toy://shelves.example:7000/photos"
SHELF = "http://shelves.example:7000/photos"
HANDLER = """\
from penstock import Context, Event, Result

def handle(event: Event, context: Context) -> Result:
    return Result(b"".join(event.body).upper())
"""
STACK = f"""\
provider: {{name: openfaas}}
functions:
  upper:
    handler: ./upper
    image: registry.example/upper:1
    environment: {{SOURCE: s3://upload/*, SINK: "{SINK}"}}
  after:
    handler: ./upper
    image: registry.example/upper:1
    environment: {{SOURCE: s3://processed/*, SINK: "s3://later/{{key}}"}}
"""
ENVIRONMENT = {"MINIO_ENDPOINT": "http://127.0.0.1:9", "MINIO_ACCESS_KEY": "a", "MINIO_SECRET_KEY": "b"}
JOBS = {"OFFLOAD_ABOVE_BYTES": "1000", "JOB_IMAGE": "registry.example/upper:1"}
SOURCE = ObjectRef("upload", "rose.txt")


def install(folder: Path, entry: str = "toy = toy_sink:ToyAddress") -> None:
    """What a package installer leaves behind: the module, and its entry point."""
    shutil.copy(Path(__file__).with_name("toy_sink.py"), folder)
    metadata = folder / "toy_sink-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-sink\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[penstock.sinks]\n{entry}\n")


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The sink's module, as Penstock finds it."""
    folder = tmp_path / "installed"
    folder.mkdir()
    install(folder)
    monkeypatch.syspath_prepend(folder)
    yield sys.modules[type(parse_sink(SINK)).__module__]
    del sys.modules["toy_sink"]


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    (tmp_path / "upper").mkdir()
    (tmp_path / "upper" / "handler.py").write_text(HANDLER)
    path = tmp_path / "stack.yml"
    path.write_text(STACK)
    return path


@pytest.fixture
def spec(toy: ModuleType, stack: Path) -> FunctionSpec:
    return load_stack(stack, {}).functions["upper"]


@pytest.fixture
def settings(toy: ModuleType, stack: Path) -> Mapping[str, str]:
    """The function's environment, with its credentials."""
    return {**ENVIRONMENT, "SINK_TOKEN": toy.TOKEN}


def test_it_is_found_by_its_scheme_alone(toy: ModuleType) -> None:
    address: Address = parse_sink(SINK)
    assert (type(address), address.url) == (toy.ToyAddress, "http://shelves.example:7000")


def test_its_own_form_is_shown_for_one_that_cannot_be_read(toy: ModuleType) -> None:
    with pytest.raises(ConfigError, match="expected toy://HOST:PORT/SHELF"):
        parse_sink("toy://shelves.example/photos")


def test_functions_are_drawn_as_a_graph(spec: FunctionSpec, stack: Path) -> None:
    graph = make_graph(load_stack(stack, {}).functions.values())
    assert graph.functions["upper"].outputs == ()
    assert list(graph.loops()) == []


def test_manifests_are_rendered_and_its_server_is_let_out(spec: FunctionSpec) -> None:
    plan = make_plan(spec)
    assert plan.volume == ""
    assert [each["kind"] for each in function_documents(plan)] == ["ServiceAccount", "Service"]
    policies = {each["metadata"]["name"]: each["spec"] for each in network_policies([plan], "penstock")}
    assert {"ports": [{"protocol": "TCP", "port": 7000}]} in policies["upper"]["egress"]


def test_the_gateway_routes_to_it_and_makes_no_bucket_of_it(spec: FunctionSpec, tmp_path: Path) -> None:
    router = Router(Inbox(tmp_path / "inbox.db"))
    router.configure([spec])
    assert router.buckets() == ["upload"]
    assert router.routes[0].address == parse_sink(SINK)


def test_the_runtime_writes_it_and_reconcile_mends_it(
    toy: ModuleType, settings: Mapping[str, str], stack: Path
) -> None:
    folder = stack.parent / "upper"
    store = MemoryStore("upload")
    store.put(SOURCE, [b"rose"])
    runtime = make_runtime(folder, function_config(folder, settings, stack), store)
    assert runtime.sink is not None
    runtime.sink.check()
    assert runtime.agree(SOURCE).kind == "processed"
    assert [body for _, _, body in toy.SHELVES[SHELF].values()] == [b"ROSE"]
    assert reconcile(runtime).found == {"agreeing": 1}
    toy.SHELVES[SHELF].clear()
    assert reconcile(runtime).found == {"missing": 1}
    assert reconcile(runtime).found == {"agreeing": 1}
    store.delete(SOURCE)
    assert reconcile(runtime, yes=True).found == {"orphaned": 1}
    assert toy.SHELVES[SHELF] == {}


def test_a_job_gets_its_secret_and_no_bucket(settings: Mapping[str, str], spec: FunctionSpec) -> None:
    config = load_config({**spec.environment, **settings, **JOBS}, function="upper")
    assert config.jobs is not None
    state = ObjectState(SOURCE, size=2000, etag="e")
    manifest = job_manifest("a-job", state, config, config.jobs, now=datetime(2026, 1, 1, tzinfo=UTC))
    (container,) = manifest["spec"]["template"]["spec"]["containers"]
    env: dict[str, Any] = {each["name"]: each for each in container["env"]}
    assert env["SINK_TOKEN"]["valueFrom"]["secretKeyRef"] == {"name": "sink-token", "key": "sink-token"}
    assert env["SINK"]["value"] == SINK
    assert not [argument for argument in container["args"] if argument.startswith("-t")]


def test_renditions_are_refused_since_it_keeps_one_entry(toy: ModuleType) -> None:
    config = load_config({**ENVIRONMENT, "SINK": SINK, "RENDITIONS": "thumb"}, function="upper")
    with pytest.raises(ConfigError, match="takes no RENDITIONS"):
        make_sink(config, MemoryStore("upload"))


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("broken = toy_sink:Missing", "cannot import toy_sink:Missing"),
        ("broken = no_such_module:X", "cannot import no_such_module:X"),
        ("broken = toy_sink:ToySink", "toy_sink:ToySink is not a class of penstock.sinks.address.Address"),
    ],
)
def test_an_entry_point_that_leads_to_no_address_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entry: str, problem: str
) -> None:
    install(tmp_path, entry)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError, match=problem):
        parse_sink("broken://x")
