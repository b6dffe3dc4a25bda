"""Objects that options name: read in the state that the mark tells, and a change of theirs makes targets stale."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from penstock import Context, Event, Result, option
from penstock.errors import ConfigError, EventError, PermanentError, TemporaryError
from penstock.handler.loading import Function
from penstock.reconcile.compare import Reconciler
from penstock.reconcile.held import scratch
from penstock.runtime import assets
from penstock.serving.wiring import make_runtime
from penstock.settings.config import Config, SourceRule
from penstock.store.memory import MemoryStore
from penstock.testing import Lake, run
from penstock.types import ObjectRef

LOGO = ObjectRef("brand", "logos/one.txt")


@dataclass(frozen=True)
class Options:
    head: str = option("", "what comes first", asset=True)
    times: int = option(1, "how often")


def handle(event: Event[Options], context: Context[Options]) -> Result:
    head = context.asset("head") if event.options.head else b""
    return Result(head * event.options.times + event.body.read())


def put(lake: Lake, data: bytes, ref: ObjectRef = LOGO) -> None:
    lake.store.put(ref, [data], content_type="text/plain", metadata={})


def lake_with(data: bytes = b"<", **options: object) -> Lake:
    lake = Lake(handle, head=str(LOGO), **options)  # type: ignore[arg-type]
    put(lake, data)
    return lake


def findings(lake: Lake) -> dict[str, int]:
    with scratch() as held:
        sink = lake.runtime.sink
        assert sink is not None
        reconciler = Reconciler(lake.runtime, lake.store, sink)
        list(reconciler.differences(held))
    return dict(reconciler.report.found)


def test_handler_has_the_bytes_of_the_object_that_an_option_names() -> None:
    lake = lake_with(b"<")
    lake.put("a", b"body")
    assert lake.outputs() == {"a": b"<body"}
    assert run(handle, b"body", head=str(LOGO), assets={"head": b"["}).data == b"[body"
    with pytest.raises(LookupError, match="option head names no object"):
        run(handle, b"body", head=str(LOGO))


def test_changed_asset_makes_targets_stale_and_an_event_renews_them() -> None:
    lake = lake_with(b"<")
    assert lake.put("a", b"1").changed
    assert not lake.notify("a").changed
    assert findings(lake) == {"agreeing": 1}
    put(lake, b">")
    assert findings(lake) == {"stale": 1}
    assert lake.notify("a").changed
    assert lake.outputs() == {"a": b">1"}
    assert findings(lake) == {"agreeing": 1}


def test_refusal_is_of_an_asset_too() -> None:
    def refuse(event: Event[Options], context: Context[Options]) -> Result:
        if context.asset("head") == b"bad":
            raise PermanentError("the head is bad")
        return Result(event.body.read())

    lake = Lake(refuse, head=str(LOGO))
    put(lake, b"bad")
    assert lake.put("a", b"1").kind == "refused"
    assert findings(lake) == {"agreeing": 1}
    put(lake, b"good")
    assert findings(lake) == {"stale": 1}
    assert lake.notify("a").kind == "processed"


def test_only_renditions_that_name_it_depend_on_an_asset() -> None:
    renditions: dict[str, dict[str, object]] = {"with": {"head": str(LOGO)}, "without": {"times": 2}}
    lake = Lake(handle, sink="s3://processed/{rendition}/{key}", renditions=renditions)
    put(lake, b"<")
    lake.put("a", b"1")
    before = {state.ref.key: state.etag for state in lake.store.list("processed")}
    put(lake, b">")
    lake.notify("a")
    after = {state.ref.key: state.etag for state in lake.store.list("processed")}
    assert [key for key in before if before[key] != after[key]] == ["with/a"]


def test_missing_asset_is_waited_for() -> None:
    lake = Lake(handle, head=str(LOGO))
    with pytest.raises(TemporaryError, match=r"s3://brand/logos/one.txt: option head names it, and it is not there"):
        lake.put("a", b"1")
    assert lake.outputs() == {}
    with pytest.raises(TemporaryError, match="it is not there"):
        findings(lake)
    put(lake, b"<")
    assert lake.notify("a").changed


def test_state_that_the_mark_tells_is_the_one_that_is_used() -> None:
    lake = lake_with(b"<")
    seen = assets.look_at(lake.function, lake.store)
    put(lake, b">")
    read = seen.reader(None, assets.AssetCache())
    assert read is not None
    with pytest.raises(TemporaryError, match="changed while it was used"):
        read("head")
    lake.store.delete(LOGO)
    with pytest.raises(TemporaryError, match="removed while it was used"):
        read("head")


class Counting(MemoryStore):
    opened = 0

    def open(self, ref: ObjectRef, *, if_etag: str | None = None):  # type: ignore[no-untyped-def]
        self.opened += ref == LOGO
        return super().open(ref, if_etag=if_etag)


def test_bytes_are_fetched_once_for_each_state() -> None:
    store = Counting("upload", "processed", "brand")
    lake = Lake(handle, head=str(LOGO), store=store)
    put(lake, b"<")
    for key in "abc":
        lake.put(key, b"1")
    assert store.opened == 1
    put(lake, b">")
    for key in "abc":
        lake.notify(key)
    assert store.opened == 2


def test_large_asset_is_an_error_that_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assets, "MAX_ASSET_BYTES", 3)
    lake = lake_with(b"four")
    with pytest.raises(TemporaryError, match=r"s3://brand/logos/one\.txt: 4 bytes; what an option names may have 3"):
        lake.put("a", b"1")


def test_function_without_assets_has_the_marks_that_it_had() -> None:
    lake = Lake(handle)
    assert assets.look_at(lake.function, lake.store).fingerprints is lake.function.fingerprints


def test_direct_call_has_the_asset_and_may_not_choose_another() -> None:
    lake = lake_with(b"<")
    assert lake.runtime.transform("a", 1, "", {"times": "2"}, [b"1"]).body == b"<<1"
    with pytest.raises(EventError, match=r"option head='s3://upload/secret': .*only the deployment may set"):
        lake.runtime.transform("a", 1, "", {"head": "s3://upload/secret"}, [b"1"])


@pytest.mark.parametrize("head", ["logo.png", "s3://", "s3://bucket", "s3://bucket/", "http://bucket/key"])
def test_name_that_is_none_is_refused_at_start(head: str) -> None:
    with pytest.raises(ConfigError, match="expected s3://BUCKET/KEY"):
        Lake(handle, head=head)


def config(**settings: object) -> Config:
    given: dict[str, object] = {
        "sources": (SourceRule.parse("s3://upload/*"),),
        "sink": "s3://processed/{key}",
        "options": {"head": "s3://processed/logo"},
        **settings,
    }
    return Config("tested", **given)  # type: ignore[arg-type]


def test_asset_that_the_function_writes_is_a_loop(tmp_path: Path) -> None:
    (tmp_path / "handler.py").write_text(
        "from dataclasses import dataclass\n"
        "from penstock import Result, option\n"
        "@dataclass(frozen=True)\n"
        "class Options:\n"
        "    head: str = option('', 'first', asset=True)\n"
        "def handle(event, context):\n"
        "    return Result(event.body)\n"
    )
    store = MemoryStore("upload", "processed")
    with pytest.raises(ConfigError, match="option head: s3://processed/logo is where this function writes"):
        make_runtime(tmp_path, config(), store)
    with pytest.raises(ConfigError, match="needs an object store: set MINIO_ENDPOINT"):
        make_runtime(tmp_path, config(sources=(), sink=""))
    function: Function = make_runtime(tmp_path, config(options={"head": str(LOGO)}), store).function
    assert function.assets == {None: {"head": LOGO}}
