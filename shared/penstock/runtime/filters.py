"""Whether an object passes the filters of SOURCE in its present state."""

from collections.abc import Mapping
from functools import cache

from penstock.errors import TemporaryError
from penstock.settings.config import Config
from penstock.store import Store
from penstock.types import ObjectState


def objection(config: Config, store: Store, state: ObjectState) -> str:
    """Why no rule of SOURCE takes the object in this state, or "" if one does.

    The tags are asked for once, and only where a rule with tags depends on them. Raises `TemporaryError` when they
    cannot be read: an unknown tag must not look like a missing one.
    """

    @cache
    def tags() -> Mapping[str, str]:
        found = store.tags(state)
        if found is None:
            raise TemporaryError(
                f"{state.ref}: its tags cannot be read, and a rule of SOURCE asks for them: the policy needs "
                "s3:GetObjectTagging"
            )
        return found

    return config.objection(state, tags)
