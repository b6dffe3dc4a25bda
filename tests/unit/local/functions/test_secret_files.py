"""A function's folder of secrets has those that it lists."""

from pathlib import Path

from penstock.local.functions.function import Settings
from penstock.local.functions.functions import LocalFunctions
from penstock.local.functions.secret_files import SecretFiles

from tests.unit.local.conftest import PROGRAM, Bench


def test_a_function_finds_the_secrets_that_it_lists_and_no_others(bench: Bench, tmp_path: Path) -> None:
    files = SecretFiles(tmp_path / "secrets", {})
    files.create("mine", b"one")
    files.create("other", b"two")
    spec = bench.spec()
    listing = type(spec)(**{name: getattr(spec, name) for name in spec.__slots__} | {"secrets": ("mine", "mine")})
    command = ["python3", "-S", str(PROGRAM)]
    folder = files.mount(listing)
    functions = LocalFunctions(
        {"echo": listing}, Settings(bench.folder / "data", {}, lambda _: command, secrets=files.mount)
    )
    try:
        assert [path.name for path in folder.iterdir()] == ["mine"]
        assert (folder / "mine").read_bytes() == b"one"
        files.replace("mine", b"new")
        assert (folder / "mine").read_bytes() == b"new"
        functions.get("echo").start()
        pid = functions.get("echo").pid
        environ = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        assert f"SECRETS_DIR={folder}".encode() in environ
    finally:
        functions.stop()
