"""Why a function's folder cannot be imported, in words that say which file, which line and what to write."""

import re
import sys
import traceback
from collections.abc import Iterable
from pathlib import Path

_OWN = ("handler.py", "__init__.py")
_CYCLE = "two files import each other; move what both need into a third file"


def explain(exc: BaseException, folder: Path, package: str) -> str:
    """One sentence for the exception that importing `handler.py` of `folder` as `package` raised."""
    # The package's name is Penstock's own: the author knows only the folder.
    return _explain(exc, folder, package).replace(f"{package}.", "")


def _explain(exc: BaseException, folder: Path, package: str) -> str:
    where = _where(exc, folder)
    if isinstance(exc, SyntaxError) and exc.filename:
        return f"{_place(exc.filename, exc.lineno)}: {type(exc).__name__}: {exc.msg}{_shown(exc.text)}"
    if isinstance(exc, SystemExit):
        return (
            f"{where}: ends the process when it is imported; leave out the exit, or put it under "
            '`if __name__ == "__main__":`'
        )
    if remedy := _remedy(exc, folder, package):
        return f"{where}: {remedy}"
    if isinstance(exc, ModuleNotFoundError):
        return f"{where}: {exc}; {_install(folder / 'requirements.txt')}"
    return f"{where}: cannot be imported: {type(exc).__name__}: {exc}"


def _install(requirements: Path) -> str:
    command = f"pip install -r {requirements}"
    if _names_some(requirements):
        return f"install what requirements.txt beside handler.py names, and add what it lacks: {command}"
    return f"name what it needs in requirements.txt beside handler.py, with both bounds, and install it: {command}"


def _names_some(requirements: Path) -> bool:
    """Whether the file is there and has a line that is not a comment; the starter's has none."""
    try:
        lines = requirements.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    return any(line.strip() and not line.lstrip().startswith("#") for line in lines)


def explain_call(exc: BaseException, folder: Path, package: str) -> str:
    """The same for an exception of a running handler, or "" where no import of a file beside it is the cause."""
    remedy = _remedy(exc, folder, package)
    return f"{_where(exc, folder)}: {remedy}".replace(f"{package}.", "") if remedy else ""


def _remedy(exc: BaseException, folder: Path, package: str) -> str:
    """What to write instead, or ""."""
    if isinstance(exc, ImportError):
        return _of_import(exc, folder, package)
    return _of_attribute(exc, folder) if isinstance(exc, AttributeError) else ""


def _of_attribute(exc: AttributeError, folder: Path) -> str:
    """For an attribute that a module lacks because a file beside the handler was meant."""
    module = getattr(exc.obj, "__name__", "") if isinstance(exc.obj, type(sys)) else ""
    if module and _is_beside(folder, module):
        return (
            f"{module}.{exc.name} is not in {_origin(module)}, which `import {module}` means; for "
            f"{_file(folder, module)} beside handler.py write `from . import {module}`"
        )
    # Python says so itself where a cycle of imports is the cause.
    if "partially initialized module" in str(exc):
        return f"{exc}: {_CYCLE}"
    return ""


def _of_import(exc: ImportError, folder: Path, package: str) -> str:
    name, wanted = exc.name or "", _wanted(exc)
    if "beyond top-level package" in str(exc):
        return "imports from outside the function's folder; a function is one folder: copy what it needs into it"
    if isinstance(exc, ModuleNotFoundError):
        if name.startswith(f"{package}."):
            return _not_beside(name.removeprefix(f"{package}."), folder)
        top = name.partition(".")[0]
        if _is_beside(folder, top):
            return f"{_file(folder, top)} is beside handler.py: write `{_relative(exc, folder, top)}`"
        return ""
    if "partially initialized module" in str(exc):
        return f"{exc}: {_CYCLE}"
    if name == package:
        return _not_beside(wanted, folder)
    if name.startswith(f"{package}."):
        return f"{name.removeprefix(f'{package}.')}.py has no {wanted!r}"
    if name and _is_beside(folder, name):
        return (
            f"{wanted!r} is not in {_origin(name)}, which `from {name}` means; for {_file(folder, name)} beside "
            f"handler.py write `from .{name} import {wanted}`"
        )
    return ""


def _wanted(exc: ImportError) -> str:
    """The name that could not be imported from a module; Python 3.12 has it as `name_from`."""
    found = re.match(r"cannot import name '(\w+)'", str(exc))
    return found[1] if found else ""


def _not_beside(module: str, folder: Path) -> str:
    known = ", ".join(sorted(path.name for path in folder.glob("*.py") if path.name not in _OWN)) or "no other file"
    return f"there is no {module.replace('.', '/')}.py beside handler.py; there is: {known}"


def _relative(exc: BaseException, folder: Path, module: str) -> str:
    """The import as it has to be: the line that failed where it is a simple one."""
    line = (own[-1].line or "") if (own := _own(exc, folder)) else ""
    found = re.match(rf"from\s+({re.escape(module)}[\w.]*)\s+import\s+([\w ,]+)$", line)
    if found:
        return f"from .{found[1]} import {found[2]}"
    found = re.match(rf"import\s+({re.escape(module)}(?:\s+as\s+\w+)?)$", line)
    return f"from . import {found[1] if found else module}"


def _where(exc: BaseException, folder: Path) -> str:
    own = _own(exc, folder)
    return _place(own[-1].filename, own[-1].lineno) if own else str(folder / "handler.py")


def _own(exc: BaseException, folder: Path) -> list[traceback.FrameSummary]:
    """The frames of the function's own files, the last one where it failed."""
    frames: Iterable[traceback.FrameSummary] = traceback.extract_tb(exc.__traceback__)
    return [frame for frame in frames if Path(frame.filename).is_relative_to(folder)]


def _place(path: str, line: int | None) -> str:
    return f"{path}, line {line}" if line else path


def _shown(text: str | None) -> str:
    """The line that cannot be read, as it stands."""
    return f": {text.strip()[:80]}" if text and text.strip() else ""


def _is_beside(folder: Path, module: str) -> bool:
    return module.isidentifier() and ((folder / f"{module}.py").is_file() or any((folder / module).glob("*.py")))


def _file(folder: Path, module: str) -> str:
    return f"{module}.py" if (folder / f"{module}.py").is_file() else f"{module}/"


def _origin(module: str) -> str:
    return "Python's own module" if module in sys.stdlib_module_names else "the installed package"
