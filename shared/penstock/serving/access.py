"""Who may call a function: the token of its callers, where the deployment has one."""

import hmac

from penstock.errors import Unauthorized


class CallerTokens:
    """The tokens that callers may send as `Authorization: Bearer TOKEN`.

    `text` holds one token, or two with a space between them: while callers change from one to the other, both are
    accepted. With "" no caller needs one.
    """

    def __init__(self, text: str) -> None:
        self._accepted = [f"Bearer {token}".encode() for token in text.split()]

    def check(self, authorization: str) -> None:
        """Raise `Unauthorized` unless the header `Authorization` carries one of the tokens."""
        given = authorization.encode()
        # Each is compared, in constant time: the time of the answer tells nothing.
        matches = [hmac.compare_digest(given, accepted) for accepted in self._accepted]
        if self._accepted and not any(matches):
            raise Unauthorized("wrong or no token: send `Authorization: Bearer` and the function's FUNCTION_TOKEN")
