"""`penstock run`: the chapter's flags and variables, one object, an exit code that a Job can act on."""

import gzip
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from penstock.cli import main
from penstock.local.store.server import EmbeddedStore
from penstock.store.minio_client import connect
from pytest_httpserver import HTTPServer

from tests.paths import ROOT

DATA = b"email, name\na@example.com,A\n" * 100


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[EmbeddedStore]:
    """An object store with the buckets and the file of the chapter, and the chapter's variables set."""
    server = EmbeddedStore(
        access_key="tests", secret_key="tests-secret", notify=lambda *_: None, wanted=lambda *_: False
    )
    server.start()
    client = connect(server.settings)
    for bucket in ("upload", "processed"):
        client.make_bucket(bucket)
    client.put_object("upload", "donors.csv", io.BytesIO(DATA), len(DATA), content_type="application/csv")
    for name in ("MINIO_ENDPOINT", "MINIO_ACCESS_KEY", "MINIO_SECRET_KEY", "SOURCE", "SINK", "K_SINK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ENDPOINT", server.settings.endpoint.removeprefix("http://"))
    monkeypatch.setenv("ENDPOINT_SSL", "false")
    monkeypatch.setenv("ACCESS_KEY_ID", "tests")
    monkeypatch.setenv("ACCESS_KEY_SECRET", "tests-secret")
    monkeypatch.chdir(ROOT)
    yield server
    server.stop()


def read(store: EmbeddedStore, bucket: str, key: str) -> bytes:
    with connect(store.settings).get_object(bucket, key) as response:
        return response.read()


def test_name_that_no_bucket_can_have_is_told_with_its_flag(
    store: EmbeddedStore, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "compress", "-f", "Upload", "-k", "donors.csv", "-t", "p"]) == 78
    said = capsys.readouterr().err
    assert "--from: bucket 'Upload': expected 3 to 63" in said
    assert "--to: bucket 'p': expected" in said


@pytest.mark.parametrize(
    "flags",
    [
        ["-f", "upload", "-k", "donors.csv", "-t", "processed"],
        ["-f=upload", "-k=donors.csv", "-t=processed"],
        ["--from", "upload", "--key", "donors.csv", "--to", "processed"],
    ],
)
def test_the_chapters_flags_compress_from_bucket_to_bucket(
    flags: list[str], store: EmbeddedStore, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "compress", *flags]) == 0
    assert gzip.decompress(read(store, "processed", "donors.csv.gz")) == DATA
    answer = json.loads(capsys.readouterr().out)
    assert (answer["outcome"], answer["targets"][0]["address"]) == ("processed", "s3://processed/donors.csv.gz")


@pytest.mark.parametrize(
    ("variable", "value"), [("ENDPOINT_SSL", ""), ("ENDPOINT_SSL", "False"), ("ENDPOINT", "http://{}")]
)
def test_the_chapters_variables_are_read_as_people_write_them(
    variable: str, value: str, store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value.format(store.settings.endpoint.removeprefix("http://")))
    assert main(["run", "compress", "-f", "upload", "-k", "donors.csv", "-t", "processed"]) == 0


def test_terminal_of_an_image_without_tqdm_has_no_bar(
    store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "tqdm", None)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert main(["run", "compress", "-f", "upload", "-k", "donors.csv", "-t", "processed"]) == 0
    assert json.loads(capsys.readouterr().out)["outcome"] == "processed"


def test_a_word_for_ssl_that_is_unknown_does_not_end_in_plain_http(
    store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ENDPOINT_SSL", "on")
    assert main(["run", "compress", "-f", "upload", "-k", "donors.csv", "-t", "processed"]) == 78
    assert "ENDPOINT_SSL='on': expected true or false" in capsys.readouterr().err


def test_without_an_endpoint_it_says_which_variable_to_set(
    store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("ENDPOINT")
    assert main(["run", "compress", "-f", "upload", "-k", "donors.csv", "-t", "processed"]) == 78
    assert "ENDPOINT=HOST:PORT" in capsys.readouterr().err


def test_the_name_follows_the_sink_of_the_stack_file(store: EmbeddedStore) -> None:
    assert main(["run", "compress", "-f", "upload", "-k", "donors.csv", "--stack", "stack.yml"]) == 0
    assert gzip.decompress(read(store, "processed", "donors.csv.gz")) == DATA


def test_the_name_follows_the_format(store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPTION_FORMAT", "zstd")
    assert main(["run", "compress", "-f", "upload", "-k", "donors.csv", "-t", "processed"]) == 0
    assert read(store, "processed", "donors.csv.zst").startswith(b"\x28\xb5\x2f\xfd")


def test_the_outcome_goes_where_a_function_would_have_answered(store: EmbeddedStore, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/", method="POST").respond_with_data("")
    flags = ["-f", "upload", "-k", "donors.csv", "-t", "processed", "--answer-to", httpserver.url_for("/")]
    assert main(["run", "compress", *flags]) == 0
    request, _ = httpserver.log[0]
    assert request.headers["ce-type"] == "penstock.object.processed"
    assert request.headers["ce-subject"] == "upload/donors.csv"
    assert request.get_json()["outcome"] == "processed"


def test_an_outcome_that_nobody_takes_is_a_temporary_failure(store: EmbeddedStore, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/", method="POST").respond_with_data("", status=503)
    flags = ["-f", "upload", "-k", "donors.csv", "-t", "processed", "--answer-to", httpserver.url_for("/")]
    assert main(["run", "compress", *flags]) == 75


def test_nothing_to_do_is_a_success(store: EmbeddedStore) -> None:
    packed = gzip.compress(DATA)
    connect(store.settings).put_object("upload", "packed.csv", io.BytesIO(packed), len(packed))
    assert main(["run", "compress", "-f", "upload", "-k", "packed.csv", "-t", "processed"]) == 0


def test_a_missing_object_is_a_permanent_failure(store: EmbeddedStore, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "compress", "-f", "upload", "-k", "nope.csv", "-t", "processed"]) == 65
    assert "s3://upload/nope.csv: the source is gone" in capsys.readouterr().err


def test_a_missing_bucket_is_a_temporary_failure(store: EmbeddedStore, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "compress", "-f", "nowhere", "-k", "a.csv", "-t", "processed"]) == 75
    assert "the bucket does not exist" in capsys.readouterr().err


def test_a_wrong_password_is_a_temporary_failure(
    store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ACCESS_KEY_SECRET", "wrong")
    assert main(["run", "compress", "-f", "upload", "-k", "donors.csv", "-t", "processed"]) == 75
    assert "credentials" in capsys.readouterr().err


def test_source_and_target_in_the_same_place_are_refused(
    store: EmbeddedStore, capsys: pytest.CaptureFixture[str]
) -> None:
    """The one-shot takes the whole bucket for its source, so its own output there could be its input."""
    assert main(["run", "compress", "-f", "upload", "-k", "donors.csv", "-t", "upload"]) == 78
    assert "endless loop" in capsys.readouterr().err


def test_a_missing_flag_is_wrong_usage(store: EmbeddedStore) -> None:
    with pytest.raises(SystemExit) as exit_code:
        main(["run", "compress", "-f", "upload"])
    assert exit_code.value.code == 2


def test_crash_of_the_handler_shows_the_handlers_lines_alone(
    store: EmbeddedStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "pair"
    folder.mkdir()
    (folder / "handler.py").write_text("def handle(event, context):\n    first, second = [1]\n")
    words = ["run", str(folder), "-f", "upload", "-k", "donors.csv", "-t", "processed"]
    assert main(words) == 1
    said = capsys.readouterr().err
    assert said.startswith(f'Traceback (most recent call last):\n  File "{folder}/handler.py", line 2, in handle\n')
    assert "ValueError: not enough values to unpack" in said
    assert "work.py" not in said
    assert said.endswith("penstock run: the function's own code raised it; --debug shows all\n")
    with pytest.raises(ValueError, match="not enough values"):
        main([*words, "--debug"])
