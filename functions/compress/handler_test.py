import functools
import gzip
import itertools
import random
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Generator, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from penstock import Body, EventError, InputTooLarge, NothingToDo, TemporaryError
from penstock.testing import Lake, run

from .codecs import BLOCK_BYTES, gzip_chunks, gzip_header, zstd_chunks
from .handler import PLANS, Options, handle
from .samples import csv, cut
from .signatures import PEEK_BYTES

EVERY_SETTING = [Options(format=kind, setting=setting) for kind, setting in PLANS]
ONE_OF_EACH = [Options(setting="default"), Options(setting="small", threads=2), Options(format="zstd", threads=2)]


def compressed(data: bytes | Iterable[bytes], options: Options | None = None, name: str = "donors.csv") -> bytes:
    return run(handle, data, name=name, **asdict(options or Options())).data


def chunks(parts: Iterable[bytes], options: Options) -> Generator[bytes]:
    """The stream that these options ask for, for tests that look at its chunks."""
    if options.format == "zstd":
        made = zstd_chunks(parts, level=options.plan[0].level, threads=options.threads)
    else:
        made = gzip_chunks(parts, options.plan, threads=options.threads)
    assert isinstance(made, Generator)
    return made


def unpacked(data: bytes) -> bytes:
    if data[:2] == b"\x1f\x8b":
        # zlib stops after one member: anything behind it would stay in unused_data.
        reader = zlib.decompressobj(31)
        whole = reader.decompress(data) + reader.flush()
        assert reader.eof
        assert reader.unused_data == b""
        assert whole == gzip.decompress(data)
        return whole
    frame = zstandard.ZstdDecompressor().decompressobj()
    whole = frame.decompress(data)
    assert frame.eof
    return whole


@pytest.mark.long
@pytest.mark.parametrize("options", EVERY_SETTING, ids=lambda options: f"{options.format}-{options.setting}")
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("size", [0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES * 8 + 7])
def test_what_comes_out_unpacks_to_what_went_in(options: Options, threads: int, size: int) -> None:
    data = csv(size)
    assert unpacked(compressed(data, Options(options.format, options.setting, threads=threads))) == data


@pytest.mark.parametrize("setting", ["fast", "default", "small"])
def test_gunzip_reads_it_and_restores_the_name(setting: str, tmp_path: Path) -> None:
    data = csv(BLOCK_BYTES * 3)
    (tmp_path / "other.gz").write_bytes(compressed(data, Options(setting=setting), name="March donors.csv"))
    subprocess.run(["gzip", "--test", "other.gz"], cwd=tmp_path, check=True)
    subprocess.run(["gunzip", "--name", "other.gz"], cwd=tmp_path, check=True)
    assert (tmp_path / "March donors.csv").read_bytes() == data
    assert [path.name for path in tmp_path.iterdir()] == ["March donors.csv"]


# Hypothesis tries small numbers often, and a table in chunks of one byte is a million of them: no list of them alone.
@settings(max_examples=8, deadline=None)
@given(
    sizes=st.lists(st.integers(1, BLOCK_BYTES * 2), max_size=7).map(lambda sizes: [*sizes, BLOCK_BYTES // 2 + 1]),
    options=st.sampled_from(EVERY_SETTING),
)
def test_the_same_bytes_give_the_same_output_in_any_chunks(sizes: list[int], options: Options) -> None:
    data, whole = in_one_piece(options)
    assert compressed(cut(data, sizes), options) == whole


@functools.cache
def in_one_piece(options: Options) -> tuple[bytes, bytes]:
    """A table, and what is made of it when it comes as a whole."""
    data = csv(BLOCK_BYTES * 2 + 11)
    return data, compressed(data, options)


def test_gzip_is_the_same_for_any_number_of_threads() -> None:
    data = csv(BLOCK_BYTES * 9 + 5)
    assert len({compressed(data, Options(threads=threads)) for threads in (1, 2, 5)}) == 1


def test_bytes_that_do_not_compress_grow_by_little() -> None:
    data = random.Random(2).randbytes(BLOCK_BYTES * 2)
    for options in EVERY_SETTING:
        packed = compressed(data, options)
        assert len(packed) < len(data) * 1.001 + 100
        assert unpacked(packed) == data


@pytest.mark.long
def test_settings_go_from_large_to_small() -> None:
    data = csv(BLOCK_BYTES * 7)
    sizes = {(options.format, options.setting): len(compressed(data, options)) for options in EVERY_SETTING}
    assert sizes["gzip", "fast"] > sizes["gzip", "default"] > sizes["gzip", "small"]
    assert sizes["zstd", "fast"] > sizes["zstd", "default"] > sizes["zstd", "small"]


def test_a_level_replaces_the_settings_own() -> None:
    data = csv(BLOCK_BYTES * 3)
    assert len(compressed(data, Options(setting="small", level=9))) < len(compressed(data, Options(setting="small")))
    assert compressed(data, Options(level=3)) == compressed(data, Options(setting="fast"))
    assert len(compressed(data, Options(format="zstd", level=1))) > len(
        compressed(data, Options(format="zstd", level=12))
    )


@pytest.mark.parametrize(
    ("given", "accepted"),
    [
        ({"level": 4}, "from 0 to 3, igzip's levels"),
        ({"level": -1}, "from 0 to 3, igzip's levels"),
        ({"setting": "small", "level": 0}, "from 1 to 9, zlib-ng's levels"),
        ({"setting": "small", "level": 10}, "from 1 to 9, zlib-ng's levels"),
        ({"format": "zstd", "level": 0}, "from 1 to 19, zstd's levels"),
        ({"format": "zstd", "level": 20}, "from 1 to 19, zstd's levels"),
    ],
)
def test_a_level_that_the_codec_does_not_have_is_refused_with_its_range(given: dict[str, int], accepted: str) -> None:
    with pytest.raises(EventError, match=f"option level='-?[0-9]+': expected a whole number {accepted}"):
        Options(**given)  # type: ignore[arg-type]


@pytest.mark.long
def test_output_comes_in_chunks_of_a_sensible_size() -> None:
    for data in (csv(BLOCK_BYTES * 6), bytes(BLOCK_BYTES * 20)):
        for options in EVERY_SETTING:
            sizes = [len(chunk) for chunk in chunks([data], options)]
            assert all(64 * 1024 <= size <= 1024 * 1024 for size in sizes[:-1])
            assert sizes[-1] > 0


# What is compressed already


@pytest.mark.parametrize("options", EVERY_SETTING, ids=lambda options: f"{options.format}-{options.setting}")
def test_its_own_output_is_nothing_to_do(options: Options) -> None:
    with pytest.raises(NothingToDo, match=rf"already compressed \({options.format}\)"):
        compressed(compressed(b"once", options), name="lying.txt")


@pytest.mark.parametrize("name", ["donors.csv.gz", "photo.jpg", "archive.zip", "film.mp4"])
def test_a_name_does_not_make_text_compressed(name: str) -> None:
    assert unpacked(compressed(b"email, name\n", name=name)) == b"email, name\n"


@pytest.mark.parametrize(
    ("encoding", "kind"),
    [
        ("br", "brotli"),
        ("deflate", "deflate"),
        ("gzip, br", "brotli"),
        ("dcz", "zstd"),
        ("Br", "brotli"),
        ("exi", "EXI"),
    ],
)
def test_where_no_byte_tells_it_the_content_encoding_does(encoding: str, kind: str) -> None:
    with pytest.raises(NothingToDo, match=rf"donors\.csv: already compressed \({kind}\)"):
        run(handle, b"\x0b\x02\x80a,b\n\x03", name="donors.csv", content_encoding=encoding)


@pytest.mark.parametrize("encoding", ["gzip", "zstd", "compress", "x-gzip", "identity", "utf-8", "aws-chunked", ""])
def test_a_content_encoding_that_the_bytes_deny_does_not_count(encoding: str) -> None:
    made = run(handle, b"a,b\n", name="donors.csv", content_encoding=encoding)
    assert unpacked(made.data) == b"a,b\n"


def test_the_target_says_how_its_source_was_encoded() -> None:
    lake = Lake(handle, source="s3://upload", sink="s3://processed/{key}.gz")
    lake.put("a.csv", b"a,b\n", headers={"content-encoding": "gzip", "cache-control": "no-cache"})
    lake.put("b.csv", b"\x0b\x02\x80a,b\n\x03", headers={"content-encoding": "br"})
    [state] = [state for state in lake.store.list("processed") if state.ref.key == "a.csv.gz"]
    assert state.metadata["original-content-encoding"] == "gzip"
    assert dict(state.headers) == {"cache-control": "no-cache"}
    assert list(lake.outputs()) == ["a.csv.gz"]


def test_the_refusal_names_the_input_and_what_it_is() -> None:
    with pytest.raises(NothingToDo) as refusal:
        compressed(gzip.compress(b"once"), name="report.csv")
    assert str(refusal.value) == "report.csv: already compressed (gzip)"


def test_a_look_at_the_first_bytes_reads_no_further_than_it_must() -> None:
    taken = []

    def source() -> Iterator[bytes]:
        for byte in itertools.chain(b"\x1f\x8b\x08", itertools.repeat(0)):
            taken.append(byte)
            yield bytes([byte])

    with pytest.raises(NothingToDo):
        compressed(source())
    assert len(taken) == PEEK_BYTES


# Streams that end early


def threads_at_work() -> set[str]:
    return {thread.name for thread in threading.enumerate() if thread.name.startswith("compress")}


def native_threads() -> set[str]:
    return {task.name for task in Path("/proc/self/task").iterdir()}


def abandon_a_stream(options: Options) -> None:
    before = native_threads()
    output = chunks(itertools.repeat(csv(300_000)), options)
    for _ in range(3):
        assert next(output)
    output.close()
    assert threads_at_work() == set()
    for _ in range(500):  # a joined thread may still be on its way out of the kernel
        if not native_threads() - before:
            break
        time.sleep(0.01)
    assert native_threads() <= before


@pytest.mark.long
@pytest.mark.parametrize("options", ONE_OF_EACH, ids=lambda options: f"{options.format}-{options.threads}")
def test_a_stream_abandoned_half_way_leaves_no_thread(options: Options) -> None:
    """In a process of its own: libraries that other tests use begin threads when they like."""
    folder = Path(__file__).parent
    program = f"from {folder.name}.handler_test import *\nabandon_a_stream(Options(**{asdict(options)!r}))"
    subprocess.run([sys.executable, "-c", program], cwd=folder.parent, check=True)


@pytest.mark.parametrize("options", ONE_OF_EACH, ids=lambda options: f"{options.format}-{options.threads}")
def test_what_the_source_raises_passes_through_and_nothing_looks_complete(options: Options) -> None:
    def source() -> Iterator[bytes]:
        yield from itertools.repeat(csv(300_000), 20)
        raise TemporaryError("the source was overwritten")

    written: list[bytes] = []
    with pytest.raises(TemporaryError, match="the source was overwritten"):
        written.extend(chunks(source(), options))
    assert threads_at_work() == set()
    if options.format == "gzip":
        with pytest.raises(EOFError):
            gzip.decompress(b"".join(written) or gzip_header())
    else:
        frame = zstandard.ZstdDecompressor().decompressobj()
        frame.decompress(b"".join(written))
        assert not frame.eof


def test_a_limit_on_the_input_passes_through() -> None:
    body = Body(lambda: cut(csv(2_000_000), [100_000]), max_bytes=1_500_000, name="donors.csv")
    with pytest.raises(InputTooLarge, match=r"donors\.csv"):
        compressed(body)


MEASURE = """
import itertools, random, resource
from penstock.testing import Lake, run
from {package}.handler import handle
from {package}.handler_test import chunks
from {package}.handler import Options
options = dict({options})
def peak(megabytes):
    block = random.Random(1).randbytes(100_000) + bytes(162_144)
    for chunk in chunks(itertools.repeat(block, megabytes * 4), Options(**options)):
        pass
    run(handle, itertools.repeat(bytes(262_144), megabytes * 4), **options)  # its output is a thousandth
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
print(peak(24), peak(200))
"""


@pytest.mark.long
@pytest.mark.parametrize("options", ["setting='default'", "setting='small', threads=2", "format='zstd'"])
def test_memory_does_not_grow_with_the_input(options: str) -> None:
    folder = Path(__file__).parent
    program = MEASURE.format(package=folder.name, options=options)
    shown = subprocess.run(
        [sys.executable, "-c", program], cwd=folder.parent, capture_output=True, text=True, check=True
    )
    small_mebibytes, large_mebibytes = map(int, shown.stdout.split())
    assert large_mebibytes - small_mebibytes < 6


@pytest.mark.parametrize(("name", "most"), [("threads", 2), ("level", 1)])
def test_a_direct_call_may_only_tighten_a_limit(name: str, most: int) -> None:
    client = Lake(handle, threads=2, level=1).app.test_client()
    assert client.post(f"/?{name}={most - 1 or 1}", data=b"x").status_code == 200
    refused = client.post(f"/?{name}={most + 1}", data=b"x")
    assert refused.status_code == 400
    assert f"option {name}='{most + 1}': expected at most {most}, which this deployment allows" in refused.text
