"""A function's build context, laid out as faas-cli does, is enough to install and serve it.

`make integration` does this with every function of the stack file and with the connectors.

faas-cli copies the template to `build/NAME`, following links (builder/copy.go), and the handler's files over the
template's into `build/NAME/function`. `faas-cli template pull` copies a template by the same code. The Dockerfile's own
command then installs it, in an environment that holds nothing else.
"""

import io
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from penstock.local.store.server import EmbeddedStore
from penstock.settings.config import StoreSettings
from penstock.settings.stackfile import FunctionSpec, load_stack
from penstock.store.minio_client import connect
from PIL import Image

from tests.paths import ROOT
from tests.served import free_port, wait_until_ready

pytestmark = pytest.mark.long

STACK = load_stack(ROOT / "stack.yml", {})
UV = Path(sys.executable).with_name("uv")


def photograph() -> bytes:
    """A JPEG of 1200x800 pixels with some structure."""
    picture = Image.radial_gradient("L").resize((1200, 800))
    file = io.BytesIO()
    Image.merge("RGB", (picture, picture.rotate(90), picture.rotate(180))).save(file, "JPEG")
    return file.getvalue()


INPUTS = {
    "compress": ("upload", "deeper/rows.csv", b"a,b\n" * 1000, "application/csv"),
    "resize": ("images", "deeper/rose.jpg", photograph(), "image/jpeg"),
    "index": ("processed", "deeper/rows.csv", b"email, name\na@example.com,A\n", "text/csv"),
}


def lay_out(spec: FunctionSpec, build: Path, templates: Path = ROOT / "template") -> Path:
    """Make `build/NAME` as faas-cli does with `handler_folder: function`."""
    template = templates / spec.lang
    context = build / spec.name
    shutil.copytree(template, context, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(
        spec.handler, context / "function", dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__")
    )
    # faas-cli does not follow .gitignore, so build leftovers travel too, such as an editable install's egg-info.
    return context


@contextmanager
def object_store(*buckets: str) -> Iterator[StoreSettings]:
    """The embedded object store with these buckets."""
    server = EmbeddedStore(
        access_key="tests", secret_key="tests-secret", notify=lambda *_: None, wanted=lambda *_: False
    )
    server.start()
    try:
        for bucket in buckets:
            connect(server.settings).make_bucket(bucket)
        yield server.settings
    finally:
        server.stop()


def install_step(dockerfile: Path) -> str:
    """The shell command of the one RUN that makes /opt/penstock, as Docker reads it."""
    text = re.sub(r"^#.*\n", "", dockerfile.read_text(encoding="utf-8"), flags=re.MULTILINE).replace("\\\n", " ")
    [step] = [line.removeprefix("RUN ") for line in text.splitlines() if line.startswith("RUN python -m venv")]
    return step


def install(dockerfile: Path, context: Path, environment: Path) -> None:
    """Run that command in the build context, with /opt/penstock in `environment`."""
    # The image's own Python: with pip, and with nothing else.
    base = environment.with_name(f"{environment.name}-base")
    # The machine's certificates: its package index may be a company's own.
    subprocess.run([UV, "venv", "--quiet", "--seed", "--system-certs", "--python", sys.executable, base], check=True)
    step = install_step(dockerfile).replace("/opt/penstock", str(environment))
    path = f"{base / 'bin'}:{os.environ['PATH']}"
    settings = {"PATH": path, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_QUIET": "1"}
    subprocess.run(["sh", "-ec", step], cwd=context, env={**os.environ, **settings}, check=True)


@contextmanager
def image_process(context: Path, spec: FunctionSpec, settings: dict[str, str]) -> Iterator[str]:
    """Install from the context alone, start what the image's CMD starts, yield its URL, and stop it by SIGTERM."""
    environment = context.parent / f"{spec.name}-env"
    install(context / "Dockerfile", context, environment)
    python = environment / "bin" / "python"
    shutil.rmtree(context / "shared")
    port = free_port()
    process = subprocess.Popen(
        [python, "index.py", "--host", "127.0.0.1"],
        cwd=context,
        env={"PATH": os.environ["PATH"], "PORT": str(port), **spec.environment, **settings},
    )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until_ready(url, process)
        yield url
    finally:
        process.terminate()
        assert process.wait(120) == 0


def pull(project: Path) -> Path:
    """What `faas-cli template pull` leaves in a project: each template of the repository, as a folder of files."""
    templates = project / "template"
    shutil.copytree(ROOT / "template", templates, ignore=shutil.ignore_patterns("__pycache__"))
    return templates


def test_a_fresh_project_whose_template_was_pulled_builds(tmp_path: Path) -> None:
    """`faas-cli template pull` and `faas-cli new` alone: nothing else of this repository is there."""
    project = tmp_path / "project"
    templates = pull(project)
    shutil.copytree(templates / "python3-penstock" / "function", project / "hello")
    (project / "stack.yaml").write_text(
        "version: 1.0\nprovider: {name: openfaas, gateway: http://127.0.0.1:8080}\n"
        "functions:\n  hello:\n    lang: python3-penstock\n    handler: ./hello\n    image: hello:latest\n"
    )
    spec = load_stack(project / "stack.yml", {}).functions["hello"]
    context = lay_out(spec, tmp_path / "build", templates)
    assert not [path for path in context.rglob("*") if path.is_symlink()]
    with image_process(context, spec, {"FUNCTION_NAME": "hello"}) as url:
        body = urllib.request.Request(f"{url}/note.txt", b"world", {"Content-Type": "text/plain"})
        assert urllib.request.urlopen(body).read() == b"hello\nworld"


def test_every_folder_that_the_dockerfile_copies_is_in_the_template() -> None:
    template = ROOT / "template" / "python3-penstock"
    lines = (template / "Dockerfile").read_text(encoding="utf-8").splitlines()
    copied = [
        word for line in lines if line.startswith("COPY ") and "--from=" not in line for word in line.split()[1:-1]
    ]
    assert copied
    assert [name for name in copied if not (template / name).exists()] == []
