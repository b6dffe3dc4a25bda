"""Python, Penstock, and the packages of its extras."""

import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Final

from penstock import __version__
from penstock.doctor.finding import Finding, Grade

_OLDEST: Final = (3, 11)
_EXTRAS: Final = ("stack", "bridge", "kafka", "mqtt", "cli", "demo")


def examine_versions() -> Iterator[Finding]:
    """What runs here, and which extras are not whole."""
    python = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < _OLDEST:
        yield Finding(Grade.PROBLEM, "python", f"{python} is too old", "install Python 3.11 or newer")
    else:
        yield Finding(Grade.GOOD, "versions", f"penstock {__version__}, Python {python}")
    for extra in _EXTRAS:
        if missing := missing_of(extra):
            text = f"not installed for the extra {extra}: {', '.join(missing)}"
            yield Finding(Grade.NOTE, "packages", text, f"pip install 'penstock[{extra}]'")


def missing_of(extra: str, package: str = "penstock") -> list[str]:
    """The packages of one extra that are not installed; extras of extras are examined by their own names."""
    names = []
    for text in requires(package) or []:
        requirement, _, condition = text.partition(";")
        if f'extra == "{extra}"' in condition.replace("'", '"'):
            name = requirement.split("[")[0].strip()
            for sign in "<>=!~ (":
                name = name.partition(sign)[0]
            names.append(name)
    return sorted(name for name in set(names) - {package} if not _installed(name))


def _installed(name: str) -> bool:
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True
