"""A secret is in a variable, in a file that a variable names, or in the folder where the platform mounts secrets."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from penstock.errors import ConfigError
from penstock.settings import table
from penstock.settings.plaintext import has_login, without_login
from penstock.settings.setting import secret_file

HIDDEN: Final = "(not shown)"
# The words of a name by which a secret is told that no setting declares, and names that have them and hold none.
_TELLING_WORD: Final = (
    r"(^|_)(PASS|PASSWD|PASSPHRASE|PWD|SECRETS|KEY|CREDENTIALS?|AUTH|AUTHORIZATION|COOKIE|HEADERS|DSN|SIGNATURE)(_|$)"
    r"|PASSWORD|SECRET|TOKEN(_|$)|(API|ACCESS|PRIVATE)KEY"
)
_TELLING_PARAMETER: Final = r"(?i)((?:password|passwd|secret|token|api_?key|sig|signature)=)[^&;,\s]+"
_HOLDS_NONE: Final = frozenset({table.SECRETS_DIR.name, table.JOB_SECRETS.name})
_SECRETS: Final = frozenset(each.name for each in table.SETTINGS if each.is_secret)
_SINK_OWN: Final = table.SINK_OTHER.name.partition("<")[0]


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
    # It becomes part of a header, which has one line; some clients crash over more.
    if not is_pem and not text.isprintable():
        raise ConfigError(f"{name}: {path} is not one line of text; it must hold the secret and nothing else")
    return text


def read_secret(env: Mapping[str, str], name: str) -> str:
    """A secret from NAME, from the file that NAME_FILE names, or from the mounted secret `name`; "" when unset.

    Raises `ConfigError` for one that cannot be read.
    """
    if value := env.get(name):
        return value
    named = env.get(f"{name}_FILE")
    path = Path(named) if named else Path(table.SECRETS_DIR.value(env), secret_file(name))
    try:
        return read_secret_file(path, name, is_pem=name == table.SINK_CA.name)
    except FileNotFoundError:
        if named:
            raise ConfigError(f"{name}_FILE={named}: no such file") from None
        return ""


def shown_environment(env: Mapping[str, str]) -> dict[str, str]:
    """The variables as a page may show them: `HIDDEN` in place of a secret, an address without login and password.

    A secret is told by the table of settings, or by a word in the name, such as PASSWORD or TOKEN. A name that ends in
    `_FILE` holds a path.

    >>> shown_environment({"SINK_PASSWORD": "x", "SINK_PASSWORD_FILE": "/run/x", "SMTP": "smtp://me:x@mail"})
    {'SINK_PASSWORD': '(not shown)', 'SINK_PASSWORD_FILE': '/run/x', 'SMTP': 'smtp://mail'}
    """
    return {name: HIDDEN if value and _is_secret(name) else _without_logins(value) for name, value in env.items()}


def _is_secret(name: str) -> bool:
    upper = name.upper()
    if upper in _HOLDS_NONE or upper.endswith("_FILE"):
        return False
    return upper in _SECRETS or upper.startswith(_SINK_OWN) or re.search(_TELLING_WORD, upper) is not None


def _without_logins(value: str) -> str:
    # One value may hold several addresses, with spaces or commas between them.
    bare = re.sub(r"[^\s,]+", lambda found: without_login(found[0]) if has_login(found[0]) else found[0], value)
    return re.sub(_TELLING_PARAMETER, rf"\g<1>{HIDDEN}", bare)
