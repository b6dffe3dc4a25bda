"""The text of the tests that `penstock test` and `penstock repro` write, from samples and from dead letters."""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from penstock.errors import ConfigError

_MOST_SHOWN: Final = 400


class Sample(NamedTuple):
    """One input of a handler: its bytes lie in `file`, beside the test."""

    file: str
    name: str
    content_type: str
    metadata: Mapping[str, str]
    content_encoding: str = ""


class Made(NamedTuple):
    """What the handler makes of it today: bytes with their type, or a document."""

    data: bytes
    content_type: str
    document: Mapping[str, object] | None = None


def identifier(text: str) -> str:
    """A part of a test's name.

    >>> identifier("rose 1.jpg")
    'rose_1_jpg'
    """
    return re.sub(r"[^0-9a-z]+", "_", text.lower()).strip("_") or "object"


def call_text(sample: Sample, renditions: Mapping[str, Mapping[str, str]], options: Mapping[str, str]) -> str:
    """`run(...)` with the sample and the settings of the deployment."""
    given = [
        f'Path(__file__).with_name("samples").joinpath({sample.file!r}).read_bytes()',
        f"name={sample.name!r}",
        f"content_type={sample.content_type!r}",
    ]
    if sample.metadata:
        given.append(f"metadata={dict(sample.metadata)!r}")
    if sample.content_encoding:
        given.append(f"content_encoding={sample.content_encoding!r}")
    if renditions:
        given += ["rendition=rendition", f"renditions={ {name: dict(each) for name, each in renditions.items()}!r}"]
    given += [f"{name}={value!r}" for name, value in sorted(options.items())]
    lines = "".join(f"        {each},\n" for each in given)
    return f"run(\n        handle,\n{lines}    )"


def failing_test(letter: str, reason: str, call: str, renditions: Mapping[str, object]) -> str:
    """A test that fails as long as the handler does not take the object of a dead letter."""
    marked, parameter = "", "() -> None:"
    if renditions:
        marked = f'@pytest.mark.parametrize("rendition", {list(renditions)!r})\n'
        parameter = "(rendition: str) -> None:"
    imports = "import pytest\n" if renditions else ""
    return (
        f'"""Dead letter {letter}: it fails until the handler takes the object."""\n\n'
        f"from pathlib import Path\n\n{imports}from penstock.testing import run\n\nfrom .handler import handle\n\n"
        f"REASON = {reason!r}\n\n\n{marked}def test_dead_letter_{identifier(letter)}{parameter}\n    {call}\n"
    )


def sample_test(sample: Sample, made: Made, call: str) -> str:
    """A test that holds a handler to what it makes of a sample today."""
    if made.document is not None:
        expected = f"    assert made.document == {dict(made.document)!r}\n"
    elif len(made.data) <= _MOST_SHOWN:
        expected = f"    assert made.data == {made.data!r}\n"
    else:
        digest = hashlib.sha256(made.data).hexdigest()
        expected = (
            f"    assert len(made.data) == {len(made.data)}\n"
            f'    assert hashlib.sha256(made.data).hexdigest() == "{digest}"\n'
        )
    imports = "import hashlib\n" if "hashlib" in expected else ""
    return (
        f'"""What the handler makes of {sample.file} today."""\n\n{imports}from pathlib import Path\n\n'
        "from penstock.testing import run\n\nfrom .handler import handle\n\n\n"
        f"def test_{identifier(sample.file)}() -> None:\n    made = {call}\n"
        f"    assert made.content_type == {made.content_type!r}\n{expected}"
    )


def how_to_run(test: Path) -> str:
    """What to type; with --rootdir a test may import its neighbours also where there is no pyproject.toml."""
    return f"{test}: written; run it with: python -m pytest --import-mode=importlib --rootdir . {test}"


def keep(path: Path, content: bytes | str) -> None:
    """Write a file that is not there yet; raises `FileExistsError`, and `ConfigError` where none can be written."""
    try:
        path.parent.mkdir(exist_ok=True)
    except (FileExistsError, NotADirectoryError) as exc:
        raise ConfigError(f"{path.parent}: cannot be written: {exc.strerror}; a folder must be there") from exc
    with path.open("xb") as file:
        file.write(content if isinstance(content, bytes) else content.encode())
