"""Images of static programs, written as an archive that `ctr images import` and `docker load` take; no tool is needed.

The format is that of `docker save`: a config and a list of layers for each image, named by manifest.json. The programs
of one archive share one layer, so they are stored once, whatever the number of images.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path

_USER = "65532:65532"
_PASSWD = "root:x:0:0:root:/root:/\nnonroot:x:65532:65532:nonroot:/tmp:/\n"
_LAYER = "layer.tar"


def image_name(program: str) -> str:
    """The image of a program; localhost is a registry that is never asked."""
    return f"localhost/{program}:1"


def write_archive(file: Path, programs: Mapping[str, Path]) -> None:
    """Write an archive with one image for each program, which is its entry point."""
    layer = file.with_suffix(".layer")
    _write_layer(layer, programs)
    with layer.open("rb") as data:
        digest = f"sha256:{hashlib.file_digest(data, 'sha256').hexdigest()}"
    manifest = []
    with tarfile.open(file, "w") as archive:
        for program in programs:
            config = {
                "architecture": "amd64",
                "os": "linux",
                "config": {
                    "User": _USER,
                    "Env": ["PATH=/bin"],
                    "WorkingDir": "/tmp",
                    "Entrypoint": [f"/bin/{program}"],
                },
                "rootfs": {"type": "layers", "diff_ids": [digest]},
                "history": [],
            }
            text = json.dumps(config).encode()
            name = f"{hashlib.sha256(text).hexdigest()}.json"
            _add(archive, name, text)
            manifest.append({"Config": name, "RepoTags": [image_name(program)], "Layers": [_LAYER]})
        _add(archive, "manifest.json", json.dumps(manifest).encode())
        archive.add(layer, _LAYER)
    layer.unlink()


def _write_layer(file: Path, programs: Mapping[str, Path]) -> None:
    with tarfile.open(file, "w") as layer:
        for name, mode in (("tmp", 0o1777), ("etc", 0o755), ("bin", 0o755), ("data", 0o777)):
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, mode
            layer.addfile(folder)
        _add(layer, "etc/passwd", _PASSWD.encode())
        for name, program in programs.items():
            member = tarfile.TarInfo(f"bin/{name}")
            member.size, member.mode = program.stat().st_size, 0o755
            with program.open("rb") as data:
                layer.addfile(member, data)


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), 0o644
    archive.addfile(member, io.BytesIO(content))
