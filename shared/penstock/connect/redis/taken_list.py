"""A Redis list from which several connectors take items, so that what one of them had is not lost when it is killed.

Beside the list L stand, for each member that takes from it:

    L:penstock:members        a set of the members' names
    L:penstock:taken:MEMBER   a list of what it has taken and not finished
    L:penstock:lease:MEMBER   a key that the server removes when the member does not renew it

An item moves from L to the member's list in one step, and only while the member has its lease. What a member without a
lease has left goes back to the head of L, in one step too. So each item is in one of these lists at every moment.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from penstock.connect.reconnecting import TopicRefused

if TYPE_CHECKING:
    from redis import Redis

# LMOVE came with Redis 6.2. Without a lease, what is taken would be in a list that the others have taken back already.
_TAKE = """
if redis.call('EXISTS', KEYS[3]) == 0 then return false end
local items = {}
for _ = 1, ARGV[1] do
  local item = redis.call('LMOVE', KEYS[1], KEYS[2], 'LEFT', 'RIGHT')
  if not item then break end
  items[#items + 1] = item
end
return items
"""
_TAKE_BACK = """
if redis.call('EXISTS', KEYS[3]) == 1 then return 0 end
local moved = 0
while redis.call('LMOVE', KEYS[2], KEYS[1], 'RIGHT', 'LEFT') do moved = moved + 1 end
redis.call('SREM', KEYS[4], ARGV[1])
return moved
"""


class LeaseLost(Exception):
    """The server has removed this member's lease: it was away for too long."""


class TakenList:
    """One list, as one member sees it. Each method may raise an error of redis-py."""

    def __init__(self, client: "Redis", name: str, member: str, lease_seconds: float) -> None:
        self._client = client
        self.name = name
        self._member = member.encode()
        self._lease_milliseconds = int(lease_seconds * 1000)
        self._members = f"{name}:penstock:members"
        self._taken = self._taken_by(self._member)
        self._take = client.register_script(_TAKE)
        self._take_back = client.register_script(_TAKE_BACK)

    def join(self) -> None:
        """Become a member; raises `TopicRefused` when the key holds no list."""
        kind = self._text(self._client.type(self.name))
        if kind not in ("none", "list"):
            raise TopicRefused(
                self.name,
                f"{self.name}: the key holds a {kind}, not a list; set format: access at the store's target, "
                "or name another key",
            )
        self.renew()

    def renew(self) -> None:
        """Say that this member lives."""
        with self._client.pipeline(transaction=True) as both:
            both.sadd(self._members, self._member)
            both.set(self._lease_of(self._member), self._member, px=self._lease_milliseconds)
            both.execute()

    def take(self, most: int) -> list[bytes]:
        """Take the oldest items, at most `most`; raises `LeaseLost`."""
        keys = [self.name.encode(), self._taken, self._lease_of(self._member)]
        found = self._take(keys=keys, args=[most])
        if found is None:
            raise LeaseLost
        return list(found)

    def finish(self, items: Iterable[bytes]) -> None:
        """Forget items that are finished. One that was taken back meanwhile is left where it is."""
        with self._client.pipeline(transaction=False) as all_of_them:
            for item in items:
                all_of_them.lrem(self._taken, 1, item)  # type: ignore[arg-type]  # the library sends bytes as they are
            all_of_them.execute()

    def unknown(self, known: Sequence[bytes]) -> list[bytes]:
        """What this member has taken beside the known items: the answer that brought it was lost."""
        if int(self._number(self._client.llen(self._taken))) <= len(known):
            return []
        left = Counter(known)
        found: list[bytes] = []
        items: Any = self._client.lrange(self._taken, 0, -1)
        for item in items:
            if left[item]:
                left[item] -= 1
            else:
                found.append(item)
        return found

    def take_back(self) -> int:
        """Put back what members without a lease had taken; says how many items."""
        members: Any = self._client.smembers(self._members)
        # Names as they are: another program may have put bytes there that are not text.
        return sum(self._put_back(bytes(member)) for member in members if bytes(member) != self._member)

    def leave(self) -> None:
        """Put back what is not finished, and be no member any more."""
        self._client.delete(self._lease_of(self._member))
        self._put_back(self._member)

    def _put_back(self, member: bytes) -> int:
        keys = [self.name.encode(), self._taken_by(member), self._lease_of(member), self._members.encode()]
        return int(self._number(self._take_back(keys=keys, args=[member])))

    def _taken_by(self, member: bytes) -> bytes:
        return f"{self.name}:penstock:taken:".encode() + member

    def _lease_of(self, member: bytes) -> bytes:
        return f"{self.name}:penstock:lease:".encode() + member

    @staticmethod
    def _text(value: Any) -> str:
        return value.decode() if isinstance(value, bytes) else str(value)

    @staticmethod
    def _number(value: Any) -> int:
        return int(value)
