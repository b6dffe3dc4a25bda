"""A whole project: the stack file, the three functions, and the template that their images are built with.

An installed package has it in `penstock/project` (setup.py puts it there). In a checkout it is the checkout itself.
"""

import contextlib
import shutil
from pathlib import Path
from typing import Final

import penstock
from penstock.errors import ConfigError

_PACKAGE: Final = Path(penstock.__file__).parent
# Where each part is in the package, and where in a checkout.
_PARTS: Final = {
    "stack.yml": "stack.yml",
    "functions": "functions",
    "template/python3-penstock": "templates/python3-penstock",
}


def shipped_stack_file() -> Path | None:
    """The stack file that came with Penstock, its functions beside it; None where there is none."""
    return next(
        (path for path in (_PACKAGE / "project" / "stack.yml", _checkout() / "stack.yml") if path.is_file()), None
    )


def write_project(folder: Path) -> list[str]:
    """Copy the project into a folder and return the names of its parts; raises `ConfigError` if one is there.

    The folder may hold other files, and they stay as they are.
    What was copied before an error is removed again: half a project would be taken for one that is there.
    """
    packaged = _PACKAGE / "project"
    sources = {
        name: packaged / name if packaged.is_dir() else _checkout() / in_checkout
        for name, in_checkout in _PARTS.items()
    }
    if missing := [str(path) for path in sources.values() if not path.exists()]:
        raise ConfigError(f"{missing[0]}: not there; this package was built without a project, install the whole one")
    # A repository or a virtual environment may be there. Of stack.yml and stack.yaml only one would count.
    if taken := [name for name in (*sources, "stack.yaml") if (folder / name).exists()]:
        raise ConfigError(f"{folder / taken[0]}: exists already; name a folder that has none of {', '.join(sources)}")
    targets = {name: folder / name for name in sources}
    new_folders = [parent for target in targets.values() for parent in target.parents if not parent.exists()]
    try:
        for name, source in sources.items():
            targets[name].parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, targets[name], ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, targets[name])
    except BaseException:
        for target in targets.values():
            shutil.rmtree(target, ignore_errors=True)
            with contextlib.suppress(OSError):
                target.unlink()
        for made in new_folders:
            with contextlib.suppress(OSError):
                made.rmdir()
        raise
    return list(sources)


def _checkout() -> Path:
    return _PACKAGE.parent.parent
