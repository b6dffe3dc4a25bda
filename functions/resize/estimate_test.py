"""What a picture was estimated to take is at least what it takes, measured in a process of its own."""

import io
import json
import subprocess
import sys
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import pytest
import pyvips
from PIL import Image

from .memory import MIB, budget_bytes
from .samples import saved

pytestmark = pytest.mark.long

MEASURE = """
import json, sys
from penstock.testing import run
from {package} import memory
from {package}.handler import handle

def status(field):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(field)) << 10

told = []
class Told(memory.Budget):
    def take(self, name, size):
        told.append(size)
        super().take(name, size)
budget = Told(1 << 40)
memory.shared = lambda: budget
small, *jobs = json.load(sys.stdin)
for kind in small:
    run(handle, open(kind, "rb").read(), width=8)
made = []
for path, options in jobs:
    data = open(path, "rb").read()
    told.clear()
    before = status("VmRSS") - len(data)
    open("/proc/self/clear_refs", "w").write("5")  # VmHWM begins anew (proc(5))
    run(handle, data, max_pixels=10**9, max_frames=10**4, **options)
    made.append([status("VmHWM") - before, sum(told), status("VmHWM")])
    del data
print(json.dumps(made))
"""


def measured(small: list[Path], jobs: list[tuple[Path, dict[str, Any]]]) -> list[tuple[int, int, int]]:
    """For each job: the memory that it took, the estimate, and the peak of the whole process, in bytes."""
    folder = Path(__file__).parent
    done = subprocess.run(
        [sys.executable, "-c", MEASURE.format(package=folder.name)],
        cwd=folder.parent,
        input=json.dumps([[str(path) for path in small], *[(str(path), options) for path, options in jobs]]),
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return [(took, told, peak) for took, told, peak in json.loads(done.stdout)]


def ramp(width: int, height: int, *, alpha: bool = False) -> Any:
    places = pyvips.Image.xyz(width, height)
    bands = [places[0] * (255 / width), places[1] * (255 / height), (places[0] + places[1]) % 256]
    bands += [places[0] % 256] if alpha else []
    return bands[0].bandjoin(bands[1:]).cast("uchar").copy(interpretation="srgb").copy_memory()


def deep(image: Any) -> Any:
    return (image.cast("ushort") * 257).cast("ushort").copy(interpretation="rgb16")


def moving(width: int, height: int, frames: int) -> Any:
    roll = ramp(width, height * frames).copy()
    roll.set_type(pyvips.GValue.gint_type, "page-height", height)
    return roll


def by_pillow(image: Any, mode: str, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    whole = Image.frombuffer("RGB", (image.width, image.height), image.write_to_memory())
    whole.convert(mode).save(file, kind, **options)
    return file.getvalue()


def moving_gif(width: int, height: int, frames: int) -> bytes:
    """Frames that differ everywhere, so that each is stored whole."""
    first, *others = (Image.effect_noise((width, height), 20 + number).convert("P") for number in range(frames))
    file = io.BytesIO()
    first.save(file, "GIF", save_all=True, append_images=others)
    return file.getvalue()


def pictures(width: int, height: int, names: Collection[str] = ()) -> dict[str, bytes]:
    """One of each kind that takes memory in a way of its own; of these names only, where there are any."""
    rgb, rgba = ramp(width, height), ramp(width, height, alpha=True)
    tile = 2048 if width > 2048 else 16
    every: dict[str, Callable[[], bytes]] = {
        "jpeg": lambda: saved(rgb, "jpeg"),
        "jpeg, odd": lambda: saved(ramp(width - 1, height - 1), "jpeg"),
        "jpeg, progressive": lambda: saved(rgb, "jpeg", interlace=True),
        "jpeg, progressive, whole chroma": lambda: saved(rgb, "jpeg", interlace=True, subsample_mode="off"),
        "jpeg, progressive, CMYK": lambda: by_pillow(rgb, "CMYK", "JPEG", progressive=True, subsampling=0),
        "png": lambda: saved(rgb, "png", compression=1),
        "png, alpha": lambda: saved(rgba, "png", compression=1),
        "png, 16 bits": lambda: saved(deep(rgba), "png", compression=1, bitdepth=16),
        "png, interlaced": lambda: saved(rgba, "png", compression=1, interlace=True),
        "png, interlaced, 16 bits": lambda: saved(deep(rgba), "png", compression=1, interlace=True, bitdepth=16),
        "webp": lambda: saved(rgb, "webp", effort=0),
        "webp, alpha": lambda: saved(rgba, "webp", effort=0),
        "webp, lossless": lambda: saved(rgba, "webp", effort=0, lossless=True),
        "avif": lambda: saved(rgb, "avif"),
        "avif, alpha, whole chroma": lambda: saved(rgba, "avif", subsample_mode="off"),
        "avif, 10 bits": lambda: saved(deep(rgb), "avif", bitdepth=10),
        "avif, 12 bits, alpha": lambda: saved(deep(rgba), "avif", bitdepth=12, subsample_mode="off"),
        "gif": lambda: by_pillow(rgb, "P", "GIF"),
        "tiff": lambda: saved(rgb, "tiff"),
        "tiff, one strip": lambda: by_pillow(rgb, "RGB", "TIFF", compression="tiff_deflate", strip_size=1 << 30),
        "tiff, one strip, CMYK": lambda: by_pillow(rgb, "CMYK", "TIFF", compression="tiff_lzw", strip_size=1 << 30),
        "tiff, large tiles": lambda: saved(
            rgba, "tiff", compression="deflate", tile=True, tile_width=tile, tile_height=tile
        ),
        "tiff, 16 bits": lambda: saved(deep(rgb), "tiff", compression="deflate"),
        "gif, moving": lambda: moving_gif(width // 5, height // 5, 25),
        "webp, moving": lambda: saved(moving(width // 5, height // 5, 25), "webp", effort=0),
    }
    return {name: make() for name, make in every.items() if name in (names or every)}


def files(folder: Path, made: dict[str, bytes]) -> dict[str, Path]:
    paths = {name: folder / name.replace(", ", "-").replace(" ", "-") for name in made}
    for name, path in paths.items():
        path.write_bytes(made[name])
    return paths


WIDTH, HEIGHT = 2200, 1400
HALF = {"width": WIDTH - 200}
JOBS: list[tuple[str, dict[str, Any]]] = [
    ("jpeg", {"format": "webp", **HALF}),
    ("jpeg", {"format": "avif", **HALF}),
    ("jpeg", {"format": "png", **HALF}),
    ("png, alpha", {"format": "webp", **HALF}),
    ("png, alpha", {"format": "avif", **HALF}),
    ("jpeg", {"trim": 10, "width": 300}),
    ("jpeg", {"blur": 5.0, **HALF}),
    ("jpeg", {"sharpen": 100, **HALF}),
    ("jpeg", {"width": 2000, "height": 1300, "fit": "cover", "gravity": "attention"}),
    ("png, alpha", {"width": 2000, "height": 1300, "fit": "cover", "gravity": "entropy"}),
    ("jpeg", {"width": 2100, "height": 2100, "fit": "contain", "format": "webp"}),
    ("avif", {"trim": 10, "blur": 5.0, **HALF}),
]


# Those whose memory is the most, each of another decoder. tests/integration measures all.
COMMON = ("jpeg", "jpeg, progressive, whole chroma", "png, interlaced", "webp, alpha", "avif", "gif, moving")


def over_the_estimate(
    folder: Path, names: Collection[str], jobs: Sequence[tuple[str, dict[str, Any]]]
) -> dict[str, str]:
    """The pictures of these names, all where there are none, and jobs that took more than was estimated."""
    small, large = folder / "small", folder / "large"
    small.mkdir()
    large.mkdir()
    icons, paths = files(small, pictures(40, 30, names)), files(large, pictures(WIDTH, HEIGHT, names))
    cases: list[tuple[str, dict[str, Any]]] = []
    for name in paths:
        still = {"animated": "moving" in name}
        cases += [(name, {"width": WIDTH // 30, **still}), (name, {"width": WIDTH - 100, **still})]
        if "moving" in name:
            cases += [(name, {"width": WIDTH // 5 - 10, "animated": True}), (name, {"width": 500})]
    cases += jobs
    found = measured(list(icons.values()), [(paths[name], options) for name, options in cases])
    return {
        f"{name} {options}": f"{took / MIB:.1f} MiB, estimated {told / MIB:.1f}"
        for (name, options), (took, told, _) in zip(cases, found, strict=True)
        if took > told
    }


def test_usual_pictures_take_no_more_than_was_estimated(tmp_path: Path) -> None:
    assert over_the_estimate(tmp_path, COMMON, JOBS[:2]) == {}


LARGEST = [("avif", (5000, 4080)), ("webp, alpha", (4900, 4800)), ("jpeg, progressive", (8000, 6200))]


def check_largest(folder: Path, kind: str, sides: tuple[int, int]) -> None:
    """stack.yml gives resize 512 MiB and four threads: what is just admitted stays within them."""
    image = ramp(*sides, alpha="alpha" in kind)
    data = {
        "avif": lambda: saved(image, "avif"),
        "webp, alpha": lambda: saved(image, "webp", effort=0),
        "jpeg, progressive": lambda: saved(image, "jpeg", interlace=True, subsample_mode="off"),
    }[kind]()
    path = files(folder, {kind: data})[kind]
    ((_, told, peak),) = measured([], [(path, {"width": 400})])
    budget = budget_bytes(512 * MIB, threads=4, workers=1)
    assert budget * 0.7 < told <= budget
    assert peak < 512 * MIB


def test_the_largest_avif_that_is_admitted_stays_within_the_shipped_limit(tmp_path: Path) -> None:
    check_largest(tmp_path, *LARGEST[0])
