"""The index sink on real OpenSearch 2 and 3 and real Elasticsearch 7, 8 and 9: the same calls, the same outcomes.

What the sink asks of a server, and how it reads the answers, is tried on all five. The rest of the contract of sinks is
the sink's own work on the same calls: it is tried on the current server of each family.
"""

import contextlib
from collections.abc import Iterator

import pytest
from penstock.errors import ConfigError, HandlerError, PermanentError, TargetChanged, TemporaryError
from penstock.sinks import opensearch as module
from penstock.sinks.opensearch import OpenSearchSink
from penstock.sinks.search_server import TEMPLATE
from penstock.types import Entry, ObjectRef, Result, Write

from tests.components import SearchEndpoint
from tests.sink_contract import MARK, Broken, Unmarked, WordsContract, listed, photograph, put, read

CURRENT = ("opensearch3", "elasticsearch9")
SERVERS = ("opensearch", *CURRENT, "elasticsearch", "elasticsearch8")
# Of the contract, what each server must answer itself: versions, batches, a listing, a place that is gone.
ON_EVERY_SERVER = frozenset({
    "test_what_was_written_is_read",
    "test_write_that_saw_an_older_state_changes_nothing",
    "test_refusal_takes_our_target_away_and_a_write_takes_the_refusal_away",
    "test_ours_is_removed_once_and_again",
    "test_removal_that_saw_an_older_state_removes_nothing",
    "test_refusal_that_saw_an_older_state_removes_nothing",
    "test_many_are_read_in_the_order_asked",
    "test_each_write_of_a_batch_ends_for_itself",
    "test_listing_shows_targets_and_refusals_and_forgets_a_record",
    "test_place_that_cannot_be_reached_is_never_taken_for_an_empty_one",
    "test_place_that_cannot_be_reached_fails_every_write",
    "test_document_written_again_after_its_removal_is_not_taken_for_the_old_one",
    "test_every_key_is_stored_and_listed_in_the_order_of_the_store",
    "test_of_many_threads_that_replace_one_version_exactly_one_succeeds",
    "test_search_finds_documents_with_every_word",
})  # fmt: skip


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "server" in metafunc.fixturenames:
        is_for_all = metafunc.cls is None or metafunc.function.__name__ in ON_EVERY_SERVER
        metafunc.parametrize("server", SERVERS if is_for_all else CURRENT, indirect=True)


@pytest.fixture
def server(request: pytest.FixtureRequest) -> SearchEndpoint:
    endpoint: SearchEndpoint = request.getfixturevalue(request.param).endpoint
    return endpoint


@pytest.fixture
def sink(server: SearchEndpoint, unique_name: str) -> Iterator[OpenSearchSink]:
    with contextlib.closing(OpenSearchSink(server.url, unique_name)) as sink:
        yield sink


class TestSearchSink(WordsContract):
    """The contract of indexes."""

    @pytest.fixture
    def small_pages(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "PAGE_DOCUMENTS", 4)

    @pytest.fixture
    def unmarked(self, sink: OpenSearchSink, server: SearchEndpoint, unique_name: str) -> Unmarked:
        def put(address: str) -> None:
            sink.check()
            server.request("PUT", f"/{unique_name}/_doc/{address}", {"bucket": "upload", "key": "in/rose.txt"})

        return put

    @pytest.fixture
    def broken(self, server: SearchEndpoint, unique_name: str) -> Broken:
        return lambda: server.request("POST", f"/{unique_name}/_close")


def test_what_every_server_is_asked_is_in_the_contract() -> None:
    assert all(hasattr(WordsContract, name) for name in ON_EVERY_SERVER)


def test_document_is_written_read_replaced_and_removed(sink: OpenSearchSink) -> None:
    address = sink.address(ObjectRef("upload", "in/rose.jpg"), None)
    assert read(sink, address, MARK) is None
    assert sink.document("upload", "in/rose.jpg") is None
    first = put(sink, image={"width": 3, "date": "2023-04-05T06:07:08"})
    assert read(sink, address, MARK) == first
    document = sink.document("upload", "in/rose.jpg")
    assert document is not None
    assert "words" not in document
    assert (document["key"], document["size"], document["image"]["width"]) == ("in/rose.jpg", 12, 3)
    assert document["metadata"] == {"camera": "Zeiss", "a.b": "dots are no paths"}
    second = put(sink, previous=first)
    assert read(sink, address, MARK) == second
    sink.remove(address, MARK, second)
    sink.remove(address, MARK, second)
    assert read(sink, address, MARK) is None


def test_batch_reports_each_outcome(sink: OpenSearchSink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BULK_BYTES", 1500)  # several calls
    taken = put(sink, "3")
    writes = [
        Write(sink.address(ObjectRef("upload", str(n)), None), Result({"kind": "a"}), MARK, photograph(str(n)), None)
        for n in range(10)
    ]
    writes.append(Write("x", Result(b"no mapping"), MARK, photograph("x"), None))
    outcomes = sink.write_many(writes)
    assert [type(outcome) for outcome in outcomes] == [Entry] * 3 + [TargetChanged] + [Entry] * 6 + [HandlerError]
    for asked, outcome in zip(writes, outcomes, strict=True):
        if isinstance(outcome, Entry):
            assert read(sink, asked.address, MARK) == outcome
    [replaced] = sink.write_many([Write(taken.address, Result({"kind": "b"}), MARK, photograph("3"), taken)])
    assert read(sink, taken.address, MARK) == replaced


def test_document_that_the_mapping_refuses_is_a_permanent_error(sink: OpenSearchSink) -> None:
    with pytest.raises(PermanentError, match=r"in/rose\.jpg.*refuses"):
        put(sink, image={"width": "wide"})


def test_unknown_fields_do_not_grow_the_mapping(sink: OpenSearchSink, server: SearchEndpoint, unique_name: str) -> None:
    put(sink, surprise={f"field{n}": n for n in range(50)})
    mapping = server.request("GET", f"/{unique_name}/_mapping")[unique_name]["mappings"]
    assert "surprise" not in mapping["properties"]
    document = sink.document("upload", "in/rose.jpg")
    assert document is not None
    assert document["surprise"]["field7"] == 7


def test_deleted_index_is_not_taken_for_absent_documents_and_comes_back(
    sink: OpenSearchSink, server: SearchEndpoint, unique_name: str
) -> None:
    entry = put(sink)
    server.request("DELETE", f"/{unique_name}")
    with pytest.raises(TemporaryError, match="deleted"):
        sink.read_many([(entry.address, MARK)] * 2)
    assert sink.read_many([(entry.address, MARK)] * 2) == [None, None]
    server.request("DELETE", f"/{unique_name}")
    with pytest.raises(TemporaryError, match="deleted"):
        read(sink, entry.address, MARK)
    assert read(sink, entry.address, MARK) is None
    put(sink)


def test_index_of_somebody_else_is_left_alone(sink: OpenSearchSink, server: SearchEndpoint, unique_name: str) -> None:
    server.request("PUT", f"/{unique_name}")
    with pytest.raises(TemporaryError, match="another program"):
        sink.check()


def test_blocked_index_is_a_temporary_error(sink: OpenSearchSink, server: SearchEndpoint, unique_name: str) -> None:
    sink.check()
    server.request("PUT", f"/{unique_name}/_settings", {"index.blocks.read_only_allow_delete": True})
    with pytest.raises(TemporaryError, match="free space"):
        put(sink)


def test_index_without_a_node_is_red_and_says_so(
    sink: OpenSearchSink, server: SearchEndpoint, unique_name: str
) -> None:
    nowhere = {"index.routing.allocation.require.box": "none"}
    body = {"mappings": TEMPLATE["mappings"], "settings": {**TEMPLATE["settings"], **nowhere}}
    server.request("PUT", f"/{unique_name}?wait_for_active_shards=0&timeout=1s", body)
    with pytest.raises(TemporaryError, match="red"):
        sink.check()
    with pytest.raises(TemporaryError):
        read(sink, sink.address(ObjectRef("upload", "a"), None), MARK)
    with pytest.raises(TemporaryError):
        listed(sink)


def test_index_name_that_the_server_refuses_is_a_configuration_error(server: SearchEndpoint) -> None:
    with (
        contextlib.closing(OpenSearchSink(server.url, "-Capital")) as sink,
        pytest.raises(ConfigError, match="check its name"),
    ):
        sink.check()
