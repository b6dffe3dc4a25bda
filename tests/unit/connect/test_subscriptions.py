"""Who wants which topic: from flags, from stack.yml, from a gateway."""

import argparse
import base64
import threading
from pathlib import Path

import pytest
from penstock.connect.openfaas import OpenFaasGateway
from penstock.connect.sources import finder_from
from penstock.connect.subscriptions import Finder, Subscriptions, from_gateway, from_pairs, from_stack
from penstock.errors import ConfigError, TemporaryError
from pytest_httpserver import HTTPServer


def urls(found: Subscriptions) -> dict[str, str]:
    return {name: target.url for name, target in found.targets.items()}


def test_pairs_name_a_topic_and_an_address() -> None:
    found = from_pairs(["upload=http://gw/function/compress", "upload=http://gw/function/index", "my=http://h/"], None)
    assert found.topics == {"upload": ("compress", "index"), "my": ("h",)}
    assert urls(found)["compress"] == "http://gw/function/compress"


def test_one_function_may_want_several_topics() -> None:
    found = from_pairs(["a=http://gw/function/compress", "b=http://gw/function/compress"], None)
    assert (found.topics, len(found.targets)) == ({"a": ("compress",), "b": ("compress",)}, 1)


def test_two_addresses_under_one_name_are_refused() -> None:
    with pytest.raises(ConfigError, match="given twice"):
        from_pairs(["a=http://one/function/compress", "b=http://two/function/compress"], None)


def test_every_bad_pair_is_named() -> None:
    with pytest.raises(ConfigError) as caught:
        from_pairs(["upload", "=http://h/", "a=ftp://h/"], None)
    assert len(caught.value.problems) == 3


def test_annotations_in_stack_yml_subscribe(tmp_path: Path) -> None:
    (tmp_path / "compress").mkdir()
    (tmp_path / "stack.yml").write_text(
        "provider:\n  name: openfaas\n  gateway: http://gw:8080\nfunctions:\n"
        "  compress:\n    lang: x\n    handler: ./compress\n    image: x\n"
        "    annotations:\n      topic: upload, my-topic\n"
        "  quiet:\n    lang: x\n    handler: ./compress\n    image: x\n"
    )
    found = from_stack(tmp_path / "stack.yml", {}, None, None)
    assert found.topics == {"upload": ("compress",), "my-topic": ("compress",)}
    assert urls(found) == {"compress": "http://gw:8080/function/compress"}
    assert urls(from_stack(tmp_path / "stack.yml", {}, "http://other", None)) == {
        "compress": "http://other/function/compress"
    }


def test_annotations_behind_a_gateway_subscribe(httpserver: HTTPServer) -> None:
    functions = [
        {"name": "compress", "annotations": {"topic": "upload"}},
        {"name": "plain", "annotations": None},
        {"name": "bare"},
    ]
    httpserver.expect_request(
        "/system/functions", query_string="namespace=lake", headers={"Authorization": "Basic YWRtaW46cHc="}
    ).respond_with_json(functions)
    gateway = httpserver.url_for("/").rstrip("/")
    found = from_gateway(OpenFaasGateway(gateway, namespace="lake", login=("admin", "pw")), None)
    assert found.topics == {"upload": ("compress.lake",)}
    assert urls(found) == {"compress.lake": f"{gateway}/function/compress.lake"}


@pytest.mark.parametrize("answer", [("no", 401), ("not JSON", 200), ('[{"image": "x"}]', 200), ("[1]", 200)])
def test_gateway_that_gives_no_list_is_a_temporary_error(httpserver: HTTPServer, answer: tuple[str, int]) -> None:
    httpserver.expect_request("/system/functions").respond_with_data(*answer)
    with pytest.raises(TemporaryError, match="basic-auth"):
        from_gateway(OpenFaasGateway(httpserver.url_for("/")), None)


def test_what_was_found_stays_in_force_while_the_gateway_is_away() -> None:
    found = from_pairs(["a=http://h/"], None)
    asked = threading.Semaphore(0)

    def discover() -> Subscriptions:
        asked.release()
        if not first:
            raise TemporaryError("gateway: no answer")
        return first.pop()

    first = [found]
    finder = Finder(discover, seconds=0.001)
    finder.start()
    for _ in range(3):
        asked.acquire()
    finder.stop()
    assert finder.news() == found
    assert finder.news() is None


def first_news(finder: Finder) -> Subscriptions:
    finder.start()
    pause = threading.Event()
    for _ in range(1000):
        if news := finder.news():
            finder.stop()
            return news
        pause.wait(0.01)
    raise AssertionError("nothing was found")


FLAGS = argparse.Namespace(to=[], stack=None, gateway="", namespace="")


def test_connectors_send_the_token_that_functions_want(tmp_path: Path, httpserver: HTTPServer) -> None:
    (tmp_path / "function-token").write_text("new old\n")
    (tmp_path / "function-hmac-key").write_text("whsec_" + base64.b64encode(b"k" * 32).decode())
    env = {"SECRETS_DIR": str(tmp_path)}
    (tmp_path / "compress").mkdir()
    (tmp_path / "stack.yml").write_text(
        "provider:\n  name: openfaas\n  gateway: http://gw:8080\nfunctions:\n"
        "  compress:\n    lang: x\n    handler: ./compress\n    image: x\n    annotations:\n      topic: upload\n"
    )
    httpserver.expect_request("/system/functions").respond_with_json(
        [{"name": "compress", "replicas": 1, "annotations": {"topic": "upload"}}]
    )
    ways = (
        {"to": ["upload=http://gw/function/compress"]},
        {"stack": tmp_path / "stack.yml"},
        {"gateway": httpserver.url_for("")},
    )
    for way in ways:
        flags = argparse.Namespace(**{**vars(FLAGS), **way, "rediscover_seconds": None, "ca_file": None})
        target = first_news(finder_from(flags, env)).targets["compress"]
        assert target.headers == {"Authorization": "Bearer new"}, way
        assert target.keys == (b"k" * 32,), way
