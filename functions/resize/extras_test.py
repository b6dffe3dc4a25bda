"""PDF and HEIC as extras: right where they are switched on and installed, and a sentence that names them elsewhere."""

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from penstock import EventError, InputTooLarge, PermanentError, UnsupportedInput
from PIL import Image

from . import decoder, extras, formats
from .samples import resize

SAMPLES = Path(__file__).with_name("extra_samples")
QUARTERS = ((220, 30, 30), (30, 180, 30), (30, 30, 220), (240, 240, 240))


def heic(name: str = "plain") -> bytes:
    return (SAMPLES / f"{name}.heic").read_bytes()


def pdf(*, width: int = 300, height: int = 200, page: str = "", pages: int = 1, content: str | None = None) -> bytes:
    """A PDF 1.4 whose pages have four quarters, written by hand."""
    w, h = width / 2, height / 2
    if content is None:
        places = ((0, h), (w, h), (0, 0), (w, 0))  # from the lower left
        content = "".join(
            f"{' '.join(f'{value / 255:.4f}' for value in colour)} rg {x} {y} {w} {h} re f\n"
            for colour, (x, y) in zip(QUARTERS, places, strict=True)
        )
    kids = " ".join(f"{4 + number} 0 R" for number in range(pages))
    leaf = f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {width} {height}] /Contents 3 0 R {page} >>"
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {pages} >>",
        f"<< /Length {len(content)} >>\nstream\n{content}\nendstream",
        *[leaf] * pages,
    ]
    text, places_of = "%PDF-1.4\n", []
    for number, made in enumerate(objects, 1):
        places_of.append(len(text))
        text += f"{number} 0 obj\n{made}\nendobj\n"
    table = "".join(f"{place:010d} 00000 n \n" for place in places_of)
    size = len(objects) + 1
    end = f"trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{len(text)}\n%%EOF\n"
    text += f"xref\n0 {size}\n0000000000 65535 f \n{table}{end}"
    return text.encode()


def corners(data: bytes, **options: Any) -> tuple[tuple[int, int], list[Any]]:
    image = Image.open(io.BytesIO(resize(data, "a.bin", format="png", **options).data))
    w, h = image.width, image.height
    places = ((w // 8, h // 8), (w - 1 - w // 8, h // 8), (w // 8, h - 1 - h // 8), (w - 1 - w // 8, h - 1 - h // 8))
    return image.size, [image.getpixel(place) for place in places]


def near(found: list[Any], wanted: Any, tolerance: int = 3) -> bool:
    return all(
        len(a) == len(b) and max(abs(x - y) for x, y in zip(a, b, strict=True)) <= tolerance
        for a, b in zip(found, wanted, strict=True)
    )


def test_heic_is_upright_in_srgb_and_keeps_its_alpha() -> None:
    size, found = corners(heic(), heic=True, width=48)
    assert size == (48, 36)
    assert near(found, QUARTERS)
    size, found = corners(heic("turned"), heic=True)
    red, green, blue, white = QUARTERS
    assert size == (48, 64)
    assert near(found, (blue, red, white, green))
    _, found = corners(heic("alpha"), heic=True)
    assert near(found[:3], ((*red, 255), (*green, 128), (*blue, 255)))
    assert found[3][3] == 0
    _, found = corners(heic("p3"), heic=True)  # as LittleCMS converts Display P3
    assert near(found[:2], ((240, 0, 0), (0, 183, 0)), 4)


def test_first_page_of_a_pdf_is_at_200_dots_an_inch() -> None:
    size, found = corners(pdf(), pdf=True)
    assert size == (834, 556)
    assert near(found, QUARTERS, 1)
    size, found = corners(pdf(page="/Rotate 90"), pdf=True)
    assert size == (556, 834)
    assert near(found, [QUARTERS[at] for at in (2, 0, 3, 1)], 1)
    size, found = corners(pdf(content=""), pdf=True, width=30)
    assert size == (30, 20)
    assert near(found, [(255, 255, 255)] * 4, 0)


def test_notes_say_what_was_left_out_and_assume_nothing() -> None:
    assert resize(pdf(pages=3), "a.pdf", pdf=True).notes == ("the first page of 3 was taken",)


@pytest.mark.parametrize("sides", [(14_000, 14_000), (1, 14_400)])
def test_page_of_any_size_stays_within_the_bounds(sides: tuple[int, int]) -> None:
    (width, height), _ = corners(pdf(width=sides[0], height=sides[1]), pdf=True, max_pixels=1_000_000)
    assert 1 <= width * height <= 1_002_000
    assert max(width, height) <= 16_001


@pytest.mark.parametrize(("kind", "data"), [("pdf", pdf()), ("heic", heic())])
def test_extra_that_is_off_or_not_installed_is_named(
    kind: str, data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = f"add the lines of requirements-{kind}.txt"
    name = kind.upper()
    off = rf"^a: expected JPEG, .*, got {name}; {name} is an extra that is off: set OPTION_{name}=true"
    with pytest.raises(UnsupportedInput, match=rf"{off}$"):
        resize(data, "a")
    with monkeypatch.context() as patched:
        patched.setattr(formats, "is_installed", lambda _: False)
        with pytest.raises(UnsupportedInput, match=rf"{off}, and {lines}"):
            resize(data, "a")
    other = Path(extras.__file__).with_name("decoder.py").read_text().replace(decoder.MODULES[kind], "not_installed")
    (tmp_path / "decoder.py").write_text(other)
    monkeypatch.setattr(extras, "CHILD", tmp_path / "decoder.py")
    with pytest.raises(UnsupportedInput, match=rf"^a: {name} is on, but .* is not installed: {lines}"):
        resize(data, "a", **{kind: True})


def test_direct_call_cannot_switch_an_extra_on() -> None:
    from penstock.testing import Lake

    from .handler import handle

    with pytest.raises(EventError, match="option pdf='true': "):
        Lake(handle).runtime.transform("a.pdf", 1, "", {"pdf": "true"}, [pdf()])
    made = Lake(handle, pdf=True).runtime.transform("a.pdf", 1, "", {"width": "20"}, [pdf()])
    assert made.content_type == "image/png"


@pytest.mark.parametrize("kept", [0.5, 0.95])
def test_cut_heic_is_damaged(kept: float) -> None:
    data = heic()
    with pytest.raises(PermanentError, match="the HEIC is damaged"):
        resize(data[: int(len(data) * kept)], "a", heic=True)


@pytest.mark.parametrize("data", [b"%PDF-1.7\n" + bytes(500), pdf(pages=0)])
def test_pdf_without_a_page_is_damaged(data: bytes) -> None:
    with pytest.raises(PermanentError, match="the PDF is damaged"):
        resize(data, "a", pdf=True)


def test_pdf_with_a_password_is_not_called_damaged() -> None:
    with pytest.raises(UnsupportedInput, match="a PDF with a password is not read"):
        resize((SAMPLES / "locked.pdf").read_bytes(), "a", pdf=True)


def test_large_heic_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(InputTooLarge, match="64x48 is 3072 pixels, more than the 3071 that are decoded"):
        resize(heic(), "a", heic=True, max_pixels=3071)


def test_decoder_that_takes_too_long_or_dies_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "CHILD", tmp_path / "decoder.py")
    (tmp_path / "decoder.py").write_text("while True: pass")
    monkeypatch.setattr(extras, "TIMEOUT_SECONDS", 0.5)
    with pytest.raises(PermanentError, match=r"^a: the PDF takes more than 0\.5 seconds"):
        resize(pdf(), "a", pdf=True)
    monkeypatch.setattr(extras, "TIMEOUT_SECONDS", 60)
    for dies in ("import os; os.abort()", ""):
        (tmp_path / "decoder.py").write_text(dies)
        with pytest.raises(PermanentError, match="the PDF is damaged, or takes more memory or time"):
            resize(pdf(), "a", pdf=True)


def test_child_has_limits_and_no_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = f"""
import sys
sys.path.insert(0, {str(Path(decoder.__file__).parent)!r})
import decoder, resource, os
decoder.limit()
def fails(act):
    try:
        act()
    except (OSError, MemoryError):
        return True
    return False
def write():
    with open({str(tmp_path / "made")!r}, "w") as file:
        file.write("x")
print(fails(lambda: bytearray(decoder.MEMORY_BYTES)), fails(write), resource.getrlimit(resource.RLIMIT_CPU)[0])
"""
    # A write beyond the limit sends a signal, which Python ignores.
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True", str(decoder.CPU_SECONDS)]
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    (tmp_path / "decoder.py").write_text(
        "import os, json\n"
        "print(json.dumps({'refused': 'unsupported', 'reason': ' '.join(os.environ) + ' ' + os.getcwd()}))\n"
    )
    monkeypatch.setattr(extras, "CHILD", tmp_path / "decoder.py")
    with pytest.raises(UnsupportedInput) as caught:
        resize(pdf(), "a", pdf=True)
    assert "AWS" not in str(caught.value)
    assert str(caught.value).endswith(" / is not read")


def test_renditions_of_a_pdf_decode_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from .samples import in_any_order

    calls: list[str] = []
    whole = extras.open_extra

    def counted(*given: Any) -> Any:
        calls.append(given[0])
        return whole(*given)

    monkeypatch.setattr(extras, "open_extra", counted)
    made = list(
        in_any_order(pdf(), {"a": {"width": 50, "pdf": True}, "b": {"width": 20, "format": "jpeg", "pdf": True}})
    )
    assert made[0] == made[1]
    assert len(calls) == 2
