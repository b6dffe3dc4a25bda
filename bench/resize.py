"""Compare `functions/resize` with imgproxy's stand-ins, libvips and Pillow: speed, likeness, bytes and memory.

    python bench/resize.py --turns 9

It needs scikit-image for the likeness of pictures: requirements-dev.in has it, `make setup` installs it.

Every way has a process of its own, warm, one thread, and all work in turns, so that a change in the machine's speed
meets all alike. Figures are medians; ratios are pictures per second of processor time. What each way is:

- ours: the handler as it is called for an event, from the input's bytes to the output's.
- thumbnail: libvips's own thumbnail_buffer with imgproxy's encoder settings, from the same build of libvips as ours.
- imgproxy, which no package index has: on JPEG it measured 0.85 of thumbnail, so the bound is a ratio to thumbnail.
- imgproxy's PNG, a stand-in: thumbnail, then a PNG as imgproxy's vips_pngsave_go asks for it (every filter, level 6),
  deflated by the plain zlib that its image links, here Python's; libvips's wheel has zlib-ng, which is faster. imgproxy
  itself measured 1.05 times as fast as Pillow at level 6; that is the second bound, also with Pillow's bytes.
- Pillow draft, thumbnail(): Image.thumbnail((800, 800), LANCZOS), whose reducing_gap is 2. The box is what counts: the
  draft is to be twice 800 high as well as wide, so a picture of 4:3 is decoded in full.
- Pillow draft, gap 2: draft mode told the exact size, 800 x 600, twice over: decoded at 1/2; gap 1: at 1/4, as ours.
- decode only: libvips's JPEG decoder at 1/4 into memory, nothing else: no way with this decoder is faster.
"""

import io
import multiprocessing
import os
import statistics
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).parents[1]))
os.environ.setdefault("VIPS_CONCURRENCY", "1")

from bench.photographs import JPEG, KINDS, USUAL, encoded
from bench.report import Goal, Report, arguments

ROOT: Final = Path(__file__).parents[1]
WIDTH: Final = 800
LANCZOS: Final = 1  # PIL.Image.Resampling.LANCZOS
IMGPROXY_TO_THUMBNAIL: Final = 0.85  # measured on JPEG, pictures per second
IMGPROXY_TO_PILLOW_PNG: Final = 1.05  # measured on PNG with alpha, Pillow at level 6
THREE: Final = {"thumb": 200, "card": 400, "page": 800}
MIXED: Final = {"thumb": 200, "page": 800, "large": 1600}


def ours(data: bytes, into: str, *, width: int = WIDTH) -> bytes:
    from penstock import Body, Context, Event

    from functions.resize.handler import Options, handle

    event = Event("photo", len(data), "", {}, Options(width=width, format=into), Body.of(data))
    body = handle(event, Context("resize")).body
    if not isinstance(body, bytes):
        raise TypeError(type(body))
    return body


def several(data: bytes, widths: Mapping[str, int]) -> bytes:
    """All renditions of one input, as the runtime has them made."""
    from penstock import Body, Context, Event

    from functions.resize.handler import Options, handle

    renditions = {name: Options(width=width, format="jpeg") for name, width in widths.items()}
    memo: dict[Any, Any] = {}
    for name, options in renditions.items():
        context = Context("resize", name, renditions, memo=memo)
        handle(Event("photo", len(data), "", {}, options, Body.of(data)), context)
    return b""


def thumbnail(data: bytes, into: str, *, png_level: int = 6) -> bytes:
    import pyvips

    pyvips.cache_set_max(0)
    image = pyvips.Image.thumbnail_buffer(data, WIDTH, height=10_000, size="down")
    if into == "png":
        return bytes(image.pngsave_buffer(compression=png_level, filter="all", keep="none"))
    if into == "webp":
        return bytes(image.webpsave_buffer(Q=80, effort=4, keep="none"))
    if into == "avif":
        return bytes(image.heifsave_buffer(Q=50, effort=1, compression="av1", keep="none"))
    return bytes(image.jpegsave_buffer(Q=80, keep="none"))


def png_by_plain_zlib(data: bytes) -> bytes:
    """The same filtered rows as `thumbnail`, deflated by Python's zlib; taking them out of their file costs 1 %."""
    stored, at, rows = thumbnail(data, "png", png_level=0), 8, bytearray()
    head = stored[: stored.index(b"IDAT") - 4]
    while at < len(stored):  # PNG (ISO/IEC 15948), 5.3: length, type, data, checksum
        (length,) = struct.unpack_from(">I", stored, at)
        if stored[at + 4 : at + 8] == b"IDAT":
            rows += stored[at + 8 : at + 8 + length]
        at += 12 + length
    body = b"IDAT" + zlib.compress(zlib.decompress(rows), 6)
    end = b"\0\0\0\0IEND" + struct.pack(">I", zlib.crc32(b"IEND"))
    return head + struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body)) + end


def decode_only(data: bytes) -> bytes:
    import pyvips

    pyvips.cache_set_max(0)
    pyvips.Image.jpegload_buffer(data, access="sequential", shrink=4).copy_memory()
    return b""


def pillow_thumbnail(data: bytes) -> bytes:
    from PIL import Image

    image, out = Image.open(io.BytesIO(data)), io.BytesIO()
    image.thumbnail((WIDTH, WIDTH), Image.Resampling(LANCZOS))
    image.save(out, "JPEG", quality=80)
    return out.getvalue()


def pillow(data: bytes, into: str, *, draft: bool = True, gap: float | None = 2.0) -> bytes:
    from PIL import Image

    image, out = Image.open(io.BytesIO(data)), io.BytesIO()
    size = (WIDTH, round(image.height * WIDTH / image.width))
    if draft:
        image.draft(None, (round(size[0] * (gap or 1)), round(size[1] * (gap or 1))))
    # An image with alpha is resized premultiplied by Pillow itself.
    small = image.resize(size, Image.Resampling(LANCZOS), reducing_gap=gap)
    options: dict[str, Any] = {
        "jpeg": {"quality": 80},
        "png": {"compress_level": 6},
        "webp": {"quality": 80, "method": 4},
        "avif": {"quality": 50, "speed": 8, "max_threads": 1},
    }[into]
    if into == "jpeg":
        small = small.convert("RGB")
    small.save(out, into.upper(), **options)
    return out.getvalue()


@dataclass(frozen=True, slots=True)
class Row:
    """One way to do one job: processor and wall seconds a picture, medians; what came out."""

    cpu: float
    wall: float
    size: int
    ssim: float | None


def likeness(result: bytes, source: bytes) -> float:
    """Structural similarity of the luma with the fully decoded source, scaled by Lanczos: 1 is the same."""
    import numpy as np
    from PIL import Image
    from skimage.metrics import structural_similarity

    made = Image.open(io.BytesIO(result))
    reference = Image.open(io.BytesIO(source)).convert("RGB").resize(made.size, Image.Resampling.LANCZOS)
    return float(structural_similarity(np.asarray(reference.convert("L")), np.asarray(made.convert("L"))))  # type: ignore[no-untyped-call]


def serve(pipe: Connection, run: Callable[[], bytes]) -> None:
    """Run once for each True that comes, and answer with the processor and the wall seconds that it took."""
    pipe.send(run())  # warm
    while pipe.recv():
        wall, cpu = time.perf_counter(), time.process_time()
        run()
        pipe.send((time.process_time() - cpu, time.perf_counter() - wall))


def in_turns(ways: Mapping[str, Callable[[], bytes]], turns: int, source: bytes) -> dict[str, Row]:
    """Run each way once a turn, in a process of its own: one's heap is not the other's."""
    spawn = multiprocessing.get_context("spawn")
    pipes: dict[str, Connection] = {}
    for way, run in ways.items():
        pipes[way], theirs = spawn.Pipe()
        spawn.Process(target=serve, args=(theirs, run), daemon=True).start()
    results = {way: pipe.recv() for way, pipe in pipes.items()}
    seconds: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
    for _ in range(turns):
        for way, pipe in pipes.items():
            pipe.send(True)
            seconds[way].append(pipe.recv())
    for pipe in pipes.values():
        pipe.send(False)
    opaque = source[:4] != b"\x89PNG"
    rows = {}
    for way, data in results.items():
        cpu, wall = (statistics.median(values) for values in zip(*seconds[way], strict=True))
        rows[way] = Row(cpu, wall, len(data), likeness(data, source) if data and opaque else None)
    return rows


def show(report: Report, job: str, rows: Mapping[str, Row]) -> None:
    reference = next(iter(rows.values()))
    report.table(
        [job, "per core-second", "per second", "ratio", "kB", "SSIM"],
        [
            [
                way,
                f"{1 / row.cpu:.1f}",
                f"{1 / row.wall:.1f}",
                f"{reference.cpu / row.cpu:.2f}",
                f"{row.size / 1000:.0f}" if row.size else "",
                f"{row.ssim:.4f}" if row.ssim else "",
            ]
            for way, row in rows.items()
        ],
    )


def jpegs(report: Report, kinds: Iterable[str], turns: int) -> None:
    for kind in kinds:
        data = encoded(kind)
        plain = partial(pillow, data, "jpeg")
        ways = {
            "thumbnail": partial(thumbnail, data, "jpeg"),
            "ours": partial(ours, data, "jpeg"),
            "decode only": partial(decode_only, data),
            "Pillow draft, thumbnail()": partial(pillow_thumbnail, data),
            "Pillow draft, gap 2": plain,
            "Pillow draft, gap 1": partial(plain, gap=None),
            "Pillow, full decode": partial(plain, draft=False, gap=None),
        }
        rows = in_turns(ways, turns, data)
        show(report, f"{kind}, to JPEG", rows)
        if kind == USUAL:
            own = rows["ours"]
            at_least(report, "JPEG, speed to imgproxy's", rows["thumbnail"].cpu / own.cpu / IMGPROXY_TO_THUMBNAIL, 1.3)
            for way in ("Pillow draft, thumbnail()", "Pillow draft, gap 2"):
                at_least(report, f"JPEG, speed to {way}", rows[way].cpu / own.cpu, 2)
            at_least(report, "JPEG, SSIM", own.ssim or 0, 0.968)


def at_least(report: Report, what: str, reached: float, bound: float) -> None:
    report.goals.append(Goal(3, f"resize, {what}", reached, bound, at_most=False))


def others(report: Report, turns: int) -> None:
    jpeg, alpha = encoded(USUAL), encoded("alpha png")
    for name, source, into in (("WebP", jpeg, "webp"), ("AVIF", jpeg, "avif"), ("PNG with alpha", alpha, "png")):
        ways: dict[str, Callable[[], bytes]] = {
            "thumbnail": partial(thumbnail, source, into),
            "ours": partial(ours, source, into),
            "Pillow": partial(pillow, source, into),
        }
        if into == "png":
            ways["imgproxy's PNG"] = partial(png_by_plain_zlib, source)
        rows = in_turns(ways, turns, source)
        show(report, "PNG with alpha to PNG" if into == "png" else f"{USUAL}, to {name}", rows)
        own = rows["ours"]
        if into == "webp":
            at_least(report, "WebP, speed to thumbnail", rows["thumbnail"].cpu / own.cpu, 1)
        if into == "png":
            peer, by_level_6 = rows["imgproxy's PNG"], rows["Pillow"]
            at_least(report, "PNG, speed to imgproxy's settings", peer.cpu / own.cpu, 2)
            at_least(report, "PNG, speed to Pillow times 1.05", by_level_6.cpu / own.cpu / IMGPROXY_TO_PILLOW_PNG, 2)
            report.goals.append(Goal(3, "resize, PNG, bytes to imgproxy's settings", own.size / peer.size, 1.1))
            report.goals.append(Goal(3, "resize, PNG, bytes to Pillow's level 6", own.size / by_level_6.size, 1.1))


def renditions(report: Report, turns: int) -> None:
    jpeg = encoded(USUAL)
    rows = in_turns(
        {
            "800": partial(ours, jpeg, "jpeg"),
            "200 + 400 + 800": partial(several, jpeg, THREE),
            "1600": partial(ours, jpeg, "jpeg", width=1600),
            "200 + 800 + 1600": partial(several, jpeg, MIXED),
        },
        turns,
        jpeg,
    )
    show(report, f"{USUAL}, renditions", rows)
    report.goals.append(Goal(3, "resize, three renditions to one", rows["200 + 400 + 800"].cpu / rows["800"].cpu, 1.6))


def peak_mib(way: str, kind: str, pictures: int) -> int:
    """The most memory that a fresh process needs for some pictures to JPEG, one after the other, in MiB.

    VmHWM, not ru_maxrss: the latter survives exec, so that a child would report its parent's peak.
    """
    code = (
        "import sys; sys.path.insert(0, 'bench'); import resize; data = sys.stdin.buffer.read()\n"
        f"for _ in range({pictures}): resize.{way}(data, 'jpeg')\n"
        "print([line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')][0])"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, input=encoded(kind), capture_output=True, check=True, cwd=ROOT)
    return int(done.stdout) // 1024


def main() -> None:
    parser = arguments(__doc__, turns=9)
    parser.add_argument("--pictures", type=int, default=8, help="pictures per memory figure (default: %(default)s)")
    args = parser.parse_args()
    turns, pictures = (1, 1) if args.small else (args.turns, args.pictures)
    kinds = KINDS if turns > 1 else (USUAL, "alpha png")  # one turn shows that it runs, and is to be over soon

    report = Report("Resize: 12 megapixels to 800 px wide")
    sizes = ", ".join(f"{kind} {len(encoded(kind)) / 1e6:.1f} MB" for kind in kinds if kind not in JPEG)
    report.say(f"Other inputs: {sizes}. Plain zlib {zlib.ZLIB_RUNTIME_VERSION}. Medians of {turns} turns.")
    jpegs(report, [kind for kind in kinds if kind in JPEG], turns)
    others(report, turns)
    renditions(report, turns)
    ways = ("ours", "thumbnail", "pillow")
    peaks = [[kind, *(str(peak_mib(way, kind, pictures)) for way in ways)] for kind in kinds]
    report.table([f"peak memory in MiB, {pictures} pictures to JPEG", *ways], peaks)
    report.finish()


if __name__ == "__main__":
    main()
