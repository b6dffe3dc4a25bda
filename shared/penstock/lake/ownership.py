"""Which lake owns a target, and whether its secrets are the declared ones: both stand in its `comment`.

MinIO keeps a comment with every target and never tells a secret again. So the comment ends in
`penstock:LAKE`, and for a target with secrets in `penstock:LAKE:SALT:DIGEST`, where the digest is a salted scrypt of
them: a reader of the configuration learns nothing from it, and a changed secret shows.
"""

import hashlib
import hmac
import json
import re
import secrets as random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from penstock.lake.model import OWNER

_MARK: Final = re.compile(rf"(?:(.*) )?{OWNER}:([-a-z0-9]+)(?::([0-9a-f]+):([0-9a-f]+))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Comment:
    """A target's comment: the operator's own text, and the mark."""

    text: str
    lake: str = ""
    salt: str = ""
    digest: str = ""

    @classmethod
    def parse(cls, comment: str) -> "Comment":
        """Read what the server has.

        >>> Comment.parse("for the night run penstock:chapter").lake
        'chapter'
        """
        found = _MARK.fullmatch(comment)
        return cls(found[1] or "", found[2], found[3] or "", found[4] or "") if found else cls(comment)

    def holds(self, secrets: Mapping[str, str]) -> bool:
        """Whether the mark was made with these secrets."""
        if not secrets:
            return not self.digest
        return bool(self.digest) and hmac.compare_digest(self.digest, _digest(self.salt, secrets))


def mark(text: str, lake: str, secrets: Mapping[str, str]) -> str:
    """The comment for a target: the operator's text and a new mark."""
    parts = [OWNER, lake]
    if secrets:
        salt = random.token_hex(8)
        parts += [salt, _digest(salt, secrets)]
    return f"{text} {':'.join(parts)}".strip()


def _digest(salt: str, secrets: Mapping[str, str]) -> str:
    # A guess takes 16 MiB and some 50 ms, so that even a short password is hard to find.
    text = json.dumps(sorted(secrets.items())).encode()
    return hashlib.scrypt(text, salt=salt.encode(), n=2**14, r=8, p=1, dklen=16).hex()
