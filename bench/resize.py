"""Compare `functions/resize` with plain libvips and Pillow: pictures per second and core, likeness, bytes, memory.

    python bench/resize.py --turns 9 --json resize.json

Everything runs in turns, so that a change in the machine's speed meets all alike; medians of processor time, one
thread each, warm. `thumbnail` is pyvips's thumbnail_buffer with the encoder settings that imgproxy has by default. It
stands in for imgproxy, which no package index has: on JPEG imgproxy measured 0.85 of its speed.
"""

import argparse
import io
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).parents[1]))
os.environ.setdefault("VIPS_CONCURRENCY", "1")

WIDTH: Final = 800
LANCZOS: Final = 1  # PIL.Image.Resampling.LANCZOS
INPUTS: Final = ("jpeg", "progressive jpeg", "png", "alpha png", "webp", "avif", "tiff")
THREE: Final = {"thumb": 200, "card": 400, "page": 800}
MIXED: Final = {"thumb": 200, "page": 800, "large": 1600}


@cache
def photograph() -> Any:
    """12 megapixels: four of scikit-image's photographs, upscaled, side by side, with a sensor's grain."""
    import numpy as np
    import skimage.data
    from PIL import Image

    sheet = Image.new("RGB", (4000, 3000))
    for index, name in enumerate(("astronaut", "chelsea", "coffee", "retina")):
        tile = Image.fromarray(getattr(skimage.data, name)()[..., :3])
        scale = max(2000 / tile.width, 1500 / tile.height)
        size = (round(tile.width * scale), round(tile.height * scale))
        tile = tile.resize(size, Image.Resampling.BICUBIC).crop((0, 0, 2000, 1500))
        sheet.paste(tile, (index % 2 * 2000, index // 2 * 1500))
    grain = np.random.default_rng(7).normal(0, 3, (3000, 4000, 1))
    return Image.fromarray(np.clip(np.asarray(sheet) + grain, 0, 255).astype(np.uint8))


@cache
def encoded(kind: str) -> bytes:
    """The photograph as a file; with alpha it is 2000 x 2000 with soft round corners."""
    from PIL import Image, ImageDraw, ImageFilter

    image, out = photograph(), io.BytesIO()
    if kind == "alpha png":
        image = image.crop((0, 0, 2000, 2000))
        mask = Image.new("L", image.size)
        ImageDraw.Draw(mask).rounded_rectangle((40, 40, 1960, 1960), 400, fill=255)
        image.putalpha(mask.filter(ImageFilter.GaussianBlur(12)))
    settings: dict[str, dict[str, Any]] = {
        "jpeg": {"quality": 92},
        "progressive jpeg": {"quality": 92, "progressive": True},
        "avif": {"quality": 70, "speed": 10},
        "tiff": {"compression": "tiff_lzw"},
        "webp": {"quality": 85, "method": 0},
    }
    image.save(out, kind.rpartition(" ")[2].upper(), **settings.get(kind, {"compress_level": 3}))
    return out.getvalue()


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


def thumbnail(data: bytes, into: str) -> bytes:
    import pyvips

    pyvips.cache_set_max(0)
    image = pyvips.Image.thumbnail_buffer(data, WIDTH, height=10_000, size="down")
    if into == "png":
        return bytes(image.pngsave_buffer(compression=6, filter="all", keep="none"))
    if into == "webp":
        return bytes(image.webpsave_buffer(Q=80, effort=4, keep="none"))
    if into == "avif":
        return bytes(image.heifsave_buffer(Q=50, effort=1, compression="av1", keep="none"))
    return bytes(image.jpegsave_buffer(Q=80, keep="none"))


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


@dataclass
class Row:
    """One way to do one job. `ratio` is its pictures per second over the reference's (the row that has 1.00)."""

    job: str
    way: str
    per_second: float
    ratio: float
    kilobytes: float | None = None
    ssim: float | None = None


def likeness(result: bytes, source: bytes) -> float:
    """Structural similarity of the luma with the fully decoded source, scaled by Lanczos: 1 is the same."""
    import numpy as np
    from PIL import Image
    from skimage.metrics import structural_similarity

    made = Image.open(io.BytesIO(result))
    reference = Image.open(io.BytesIO(source)).convert("RGB").resize(made.size, Image.Resampling.LANCZOS)
    return float(structural_similarity(np.asarray(reference.convert("L")), np.asarray(made.convert("L"))))  # type: ignore[no-untyped-call]


def serve(pipe: Connection, run: Callable[[], bytes]) -> None:
    """Run once for each True that comes, and answer with the processor seconds that it took."""
    pipe.send(run())  # warm
    while pipe.recv():
        start = time.process_time()
        run()
        pipe.send(time.process_time() - start)


def in_turns(job: str, ways: Mapping[str, Callable[[], bytes]], turns: int, source: bytes) -> list[Row]:
    """Run each way once a turn, in a process of its own: one's heap is not the other's. The first is the reference."""
    spawn = multiprocessing.get_context("spawn")
    pipes: dict[str, Connection] = {}
    for way, run in ways.items():
        pipes[way], theirs = spawn.Pipe()
        spawn.Process(target=serve, args=(theirs, run), daemon=True).start()
    results = {way: pipe.recv() for way, pipe in pipes.items()}
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(turns):
        for way, pipe in pipes.items():
            pipe.send(True)
            seconds[way].append(pipe.recv())
    for pipe in pipes.values():
        pipe.send(False)
    middle = {way: statistics.median(values) for way, values in seconds.items()}
    reference = middle[next(iter(ways))]
    return [
        Row(
            job,
            way,
            1 / middle[way],
            reference / middle[way],
            len(data) / 1000 if data else None,
            likeness(data, source) if data and not job.startswith("alpha") else None,
        )
        for way, data in results.items()
    ]


def jobs(turns: int) -> list[Row]:
    jpeg, alpha = encoded("jpeg"), encoded("alpha png")
    plain = partial(pillow, jpeg, "jpeg")
    rows = in_turns(
        "jpeg to jpeg",
        {
            "thumbnail": partial(thumbnail, jpeg, "jpeg"),
            "ours": partial(ours, jpeg, "jpeg"),
            "Pillow, draft, gap 2": plain,
            "Pillow, draft, gap 1": partial(plain, gap=None),
            "Pillow, full decode": partial(plain, draft=False, gap=None),
        },
        turns,
        jpeg,
    )
    for job, source, into in (
        ("jpeg to webp", jpeg, "webp"),
        ("jpeg to avif", jpeg, "avif"),
        ("alpha png to png", alpha, "png"),
    ):
        ways: dict[str, Callable[[], bytes]] = {
            "thumbnail": partial(thumbnail, source, into),
            "ours": partial(ours, source, into),
            "Pillow": partial(pillow, source, into),
        }
        rows += in_turns(job, ways, turns, source)
    rows += in_turns(
        "jpeg, renditions",
        {
            "800": partial(ours, jpeg, "jpeg"),
            "200 + 400 + 800": partial(several, jpeg, THREE),
            "1600": partial(ours, jpeg, "jpeg", width=1600),
            "200 + 800 + 1600": partial(several, jpeg, MIXED),
        },
        turns,
        jpeg,
    )
    return rows


def peak_mib(way: str, kind: str, pictures: int) -> int:
    """The most memory that a fresh process needs for some pictures, one after the other, in MiB.

    VmHWM, not ru_maxrss: the latter survives exec, so that a child would report its parent's peak.
    """
    code = (
        "import sys; sys.path.insert(0, 'bench'); import resize; data = sys.stdin.buffer.read()\n"
        f"for _ in range({pictures}): resize.{way}(data, 'jpeg')\n"
        "print([line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')][0])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=encoded(kind),
        capture_output=True,
        check=True,
        cwd=Path(__file__).parents[1],
    )
    return int(done.stdout) // 1024


def show(rows: list[Row]) -> None:
    print(f"{'job':18} {'way':22} {'per second':>10} {'ratio':>6} {'kB':>7} {'SSIM':>7}")
    for row in rows:
        size = f"{row.kilobytes:7.1f}" if row.kilobytes else " " * 7
        ssim = f"{row.ssim:7.4f}" if row.ssim else " " * 7
        print(f"{row.job:18} {row.way:22} {row.per_second:10.1f} {row.ratio:6.2f} {size} {ssim}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare the resize function with libvips and Pillow.")
    parser.add_argument("--turns", type=int, default=5, help="runs of each way (default: %(default)s)")
    parser.add_argument("--pictures", type=int, default=8, help="pictures per memory figure (default: %(default)s)")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    args = parser.parse_args()

    sizes = ", ".join(f"{kind} {len(encoded(kind)) / 1e6:.1f} MB" for kind in INPUTS)
    print(f"12 megapixels to {WIDTH} px wide; {sizes}\n")
    rows = jobs(args.turns)
    show(rows)
    print(f"\npeak memory in MiB, {args.pictures} pictures to jpeg")
    memory = {
        kind: {way: peak_mib(way, kind, args.pictures) for way in ("ours", "thumbnail", "pillow")} for kind in INPUTS
    }
    for kind, peaks in memory.items():
        print(f"{kind:18} " + "  ".join(f"{way} {mib}" for way, mib in peaks.items()))
    if args.json:
        args.json.write_text(json.dumps({"rows": [vars(row) for row in rows], "peak_mib": memory}, indent=1))


if __name__ == "__main__":
    main()
