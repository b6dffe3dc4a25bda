"""What a name may look like."""

import re
from typing import Final

_DNS_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def is_dns_label(name: str) -> bool:
    """Whether it is 1 to 63 lower-case letters, digits and -, and begins and ends with a letter or a digit (RFC 1123).

    >>> is_dns_label("resize-2"), is_dns_label("Resize")
    (True, False)
    """
    return _DNS_LABEL.fullmatch(name) is not None
