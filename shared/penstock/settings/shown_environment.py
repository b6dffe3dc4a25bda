"""A function's environment as a page may show it: without secrets, and without logins in addresses."""

import re
from collections.abc import Mapping
from typing import Final

from penstock.settings.every_setting import SETTINGS
from penstock.settings.plaintext import has_login, without_login
from penstock.settings.table import JOB_SECRETS, SECRETS_DIR, SINK_OTHER

HIDDEN: Final = "(not shown)"
# The words of a name by which a secret is told that no setting declares, and names that have them and hold none.
_TELLING_WORD: Final = (
    r"(^|_)(PASS|PASSWD|PASSPHRASE|PWD|SECRETS|KEY|CREDENTIALS?|AUTH|AUTHORIZATION|COOKIE|HEADERS|DSN|SIGNATURE)(_|$)"
    r"|PASSWORD|SECRET|TOKEN(_|$)|(API|ACCESS|PRIVATE)KEY"
)
_TELLING_PARAMETER: Final = r"(?i)((?:password|passwd|secret|token|api_?key|sig|signature)=)[^&;,\s]+"
_HOLDS_NONE: Final = frozenset({SECRETS_DIR.name, JOB_SECRETS.name})
_SECRETS: Final = frozenset(each.name for each in SETTINGS if each.is_secret)
_SINK_OWN: Final = SINK_OTHER.name.partition("<")[0]


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
