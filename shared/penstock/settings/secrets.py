"""A secret is in a variable, in a file that a variable names, or in the folder where the platform mounts secrets."""

from collections.abc import Mapping
from pathlib import Path

from penstock.errors import ConfigError
from penstock.settings import table
from penstock.settings.setting import secret_file


def read_secret_file(path: Path, name: str, *, is_pem: bool = False) -> str:
    """The text in a secret's file, one line unless it is PEM; raises `ConfigError` with the setting, never its value.

    Raises `FileNotFoundError` when there is no such file.
    """
    try:
        text = path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        raise
    except OSError as exc:
        raise ConfigError(f"{name}: cannot read {path}: {exc.strerror}") from exc
    except UnicodeDecodeError:
        raise ConfigError(f"{name}: {path} is not text; it must hold the secret and nothing else") from None
    # Taken for "not set", it would open a function to every caller: a command that makes secrets had an empty variable.
    if not text:
        raise ConfigError(f"{name}: {path} is empty; put the secret into it, or remove the file")
    # It becomes part of a header, which has one line; some clients crash over more.
    if not is_pem and not text.isprintable():
        raise ConfigError(f"{name}: {path} is not one line of text; it must hold the secret and nothing else")
    return text


def read_secret(env: Mapping[str, str], name: str) -> str:
    """A secret from NAME, from the file that NAME_FILE names, or from the mounted secret `name`; "" when unset.

    Raises `ConfigError` for one that cannot be read.
    """
    if value := env.get(name):
        if value.isspace():
            raise ConfigError(f"{name}: has only spaces; give it the secret, or leave it out")
        return value
    named = env.get(f"{name}_FILE")
    path = Path(named) if named else Path(table.SECRETS_DIR.value(env), secret_file(name))
    try:
        return read_secret_file(path, name, is_pem=name == table.SINK_CA.name)
    except FileNotFoundError:
        if named:
            raise ConfigError(f"{name}_FILE={named}: no such file") from None
        return ""
