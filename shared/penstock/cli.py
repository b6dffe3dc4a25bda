"""The `penstock` command. Each sub-command is a module with `add_arguments` and `run`, imported only when it is run."""

import argparse
import importlib
import sys
from collections.abc import Sequence

from penstock.errors import ConfigError, PenstockError

# Sub-command, module, what it does. Two words are a sub-command of a sub-command.
COMMANDS: tuple[tuple[str, str, str], ...] = (
    ("up", "penstock.commands.up", "run the whole lake on this machine: object store, gateway, functions from zero"),
    ("demo", "penstock.commands.demo", "send a million donors and some photographs through all functions, and check"),
    ("serve", "penstock.commands.serve", "serve one function over HTTP, exactly as its image does"),
    ("run", "penstock.commands.run", "run one function on one object, once"),
    ("new", "penstock.commands.new", "start a function of your own from the template"),
    ("donors", "penstock.local.demo.donors", "write a CSV file of made-up donors"),
    ("bridge", "penstock.commands.bridge", "receive MinIO's webhook, keep each event on disk, send CloudEvents"),
    ("connect kafka", "penstock.commands.connect_kafka", "deliver Kafka records to functions, at least once"),
    ("connect mqtt", "penstock.connect.mqtt.connector", "deliver MQTT messages to functions, at least once"),
    ("reconcile", "penstock.commands.reconcile", "make every target of a function agree with its source"),
    ("jobs", "penstock.commands.jobs", "list the Jobs of large objects, start and settle them, read logs, clean up"),
    ("lake", "penstock.commands.lake", "plan, apply, show or remove buckets, notification targets and rules"),
    ("render", "penstock.commands.render", "write manifests for Knative or OpenFaaS from stack.yml, or check them"),
    ("idler", "penstock.commands.idler", "scale OpenFaaS functions without calls to zero"),
    ("dlq", "penstock.commands.dlq", "list, show, replay or drop dead letters"),
    ("listen", "penstock.commands.listen", "print notifications when they arrive"),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one sub-command and return its exit code: 2 for wrong usage, else that of sysexits.h for the error."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ("-h", "--help"):
        print(_help())
        return 0
    if words[0] == "--version":
        from penstock import __version__

        print(f"penstock {__version__}")
        return 0
    command = _find(words)
    if command is None:
        if which := [name.partition(" ")[2] for name, _, _ in COMMANDS if name.startswith(f"{words[0]} ")]:
            asked = words[1:2] in (["-h"], ["--help"])
            usage = f"usage: penstock {words[0]} {{{','.join(which)}}} [options]"
            print(usage, file=sys.stdout if asked else sys.stderr)
            return 0 if asked else 2
        print(f"penstock: unknown command {' '.join(words[:2])!r}\n\n{_help()}", file=sys.stderr)
        return 2
    name, module_name, text = command
    try:
        # Ctrl+C during the imports ends the command too.
        return _run(name, module_name, text, words[len(name.split()) :])
    except PenstockError as exc:
        print(f"penstock {name}: {exc}", file=sys.stderr)
        return exc.exit_code
    except KeyboardInterrupt:
        return 130


def _run(name: str, module_name: str, text: str, arguments: Sequence[str]) -> int:
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as exc:
        print(f"penstock {name}: needs {exc.name}; install it with: pip install 'penstock[demo]'", file=sys.stderr)
        return ConfigError.exit_code
    parser = argparse.ArgumentParser(prog=f"penstock {name}", description=text[0].upper() + text[1:] + ".")
    module.add_arguments(parser)
    return int(module.run(parser.parse_args(arguments)))


def _find(words: Sequence[str]) -> tuple[str, str, str] | None:
    for command in COMMANDS:
        parts = command[0].split()
        if list(words[: len(parts)]) == parts:
            return command
    return None


def _help() -> str:
    width = max(len(name) for name, _, _ in COMMANDS)
    lines = "\n".join(f"  {name:<{width}}  {text}" for name, _, text in COMMANDS)
    return f"usage: penstock COMMAND [options]\n\n{lines}\n\nFor its options: penstock COMMAND --help"


if __name__ == "__main__":
    sys.exit(main())
