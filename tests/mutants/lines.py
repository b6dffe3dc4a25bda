"""The safety lines: what each is, how it is broken, and the tests that must notice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

SIMULATION = "tests/simulation/test_schedules.py::test_every_schedule_ends_with_targets_that_agree"
POWER = "tests/simulation/test_power.py::test_what_was_confirmed_survives_every_power_cut"


@dataclass(frozen=True, slots=True)
class Mutant:
    """One safety line broken: `old` stands exactly once in `file` (under shared/penstock) and becomes `new`."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


MUTANTS: Sequence[Mutant] = (
    Mutant(
        "a Kafka record is finished before its dead letter is stored",
        "connect/kafka/connector.py",
        '            self._dead.add(pending, message.target, target.url if target else "", verdict)\n',
        '            self._dead.add(pending, message.target, target.url if target else "", verdict)\n'
        "            pending.finish()\n",
        ("tests/unit/connect/test_kafka_connector.py",),
    ),
    Mutant(
        "an offset commit that was refused counts as confirmed",
        "connect/kafka/offsets.py",
        "    return not refused\n",
        "    return True\n",
        ("tests/unit/connect/test_kafka_offsets.py",),
    ),
    Mutant(
        "an offset is committed before the final answer",
        "connect/kafka/progress.py",
        "        record.waits = waits\n",
        "        record.waits = 0\n",
        ("tests/unit/connect/test_kafka_progress.py",),
    ),
    Mutant(
        "the first commits of an index do not wait for the disk",
        "sqlite_file/file.py",
        'db.execute("PRAGMA synchronous = FULL")',
        'db.execute("PRAGMA synchronous = OFF")',
        ("tests/unit/sinks/test_sqlite.py", "tests/unit/sqlite_file/test_file.py"),
    ),
    Mutant(
        "the inbox does not wait for the disk",
        "sqlite_file/file.py",
        "{'FULL' if durable else 'NORMAL'}",
        "{'NORMAL' if durable else 'NORMAL'}",
        (POWER,),
    ),
    Mutant(
        "after a commit that need not wait for the disk none does",
        "sqlite_file/file.py",
        "        if writer.durable != durable:\n",
        "        if writer.durable and not durable:\n",
        (POWER, "tests/unit/sqlite_file/test_file.py"),
    ),
    Mutant(
        "dead letters that were never pending do not wait for the disk",
        "delivery/inbox.py",
        "            return len(rows), 0\n\n        self._commit(store)\n",
        "            return len(rows), 0\n\n        self._commit(store, durable=False)\n",
        (POWER,),
    ),
    Mutant(
        "messages do not wait for the disk",
        "delivery/inbox.py",
        "        self._commit(store)\n        self.arrived.set()\n",
        "        self._commit(store, durable=False)\n        self.arrived.set()\n",
        (POWER,),
    ),
    Mutant(
        "a bucket's target is deleted without a look right before",
        "sinks/bucket.py",
        "        self._store.delete(target_ref(address), if_still=is_seen)\n",
        "        self._store.delete(target_ref(address))\n",
        ("tests/unit/runtime/test_strangers.py", "tests/unit/sinks/test_bucket.py"),
    ),
    Mutant(
        "what the look before a delete sees does not count",
        "sinks/bucket.py",
        "            return mark_of(state) == previous.mark and previous.etag in (None, state.etag)\n",
        "            return True\n",
        ("tests/unit/runtime/test_strangers.py", "tests/unit/sinks/test_bucket.py"),
    ),
    Mutant(
        "the mark is not checked before a write",
        "runtime/agreement.py",
        "    if previous is None or not previous.is_foreign_to(mark):\n        return\n",
        "    return\n",
        ("tests/unit/runtime", "tests/unit/test_interleaving.py"),
    ),
    Mutant(
        "the mark is not checked when the source is gone",
        "runtime/agreement.py",
        "        if found.is_foreign_to(mark):\n            kept =",
        "        if False:\n            kept =",
        ("tests/unit/runtime", "tests/unit/sinks/test_contract.py"),
    ),
    Mutant(
        "the store does not look before it deletes",
        "store/s3.py",
        "            if not if_still(found):\n",
        "            if False:\n",
        ("tests/unit/store", "tests/unit/runtime"),
    ),
    Mutant(
        "an upload in parts is completed without a last look",
        "store/s3.py",
        "            if (found.etag if found else None) != (None if if_absent else if_etag):\n",
        "            if False:\n",
        ("tests/unit/store/test_lying_store.py", "tests/unit/store/test_s3.py"),
    ),
    Mutant(
        "a place is kept past an object that failed",
        "reconcile/engine.py",
        '            if not report.done["failed"] and not (check and report.differences):\n',
        "            if True:\n",
        ("tests/unit/reconcile/test_place.py",),
    ),
    Mutant(
        "an answer of another status than 2xx counts as delivered",
        "delivery/verdict.py",
        "    if 200 <= status < 300:\n",
        "    if 200 <= status < 500:\n",
        ("tests/unit/delivery",),
    ),
    Mutant(
        "answers 503 are not repeated",
        "delivery/verdict.py",
        "    if status >= 500 or status in _RETRIED_4XX:\n",
        "    if status in _RETRIED_4XX:\n",
        ("tests/unit/delivery",),
    ),
    Mutant(
        "no look at the source after the write",
        "runtime/work.py",
        "        if self.wrote and not self._is_as_it_was(source):\n            return\n",
        "",
        ("tests/unit/runtime/test_changes_meanwhile.py", "tests/unit/test_interleaving.py"),
    ),
    Mutant(
        "a SQLite index removes documents of others",
        "sinks/sqlite.py",
        "        if previous.is_foreign_to(mark):\n            return\n        place = previous.record or address\n",
        "        place = previous.record or address\n",
        ("tests/unit/sinks/test_contract.py", "tests/unit/sinks/test_sqlite.py"),
    ),
    Mutant(
        "a search server's index removes documents of others",
        "sinks/opensearch.py",
        "        if not previous.is_foreign_to(mark):\n            self._delete(",
        "        if True:\n            self._delete(",
        ("tests/unit/sinks/test_contract.py", "tests/unit/sinks/test_opensearch.py"),
    ),
    Mutant(
        "a listing that failed is taken as empty",
        "store/any_key.py",
        "            raise_for(ObjectRef(bucket, prefix), exc)\n",
        "            return\n",
        ("tests/unit/store", "tests/unit/reconcile"),
    ),
    Mutant(
        "a target that was made from a cut source stays",
        "runtime/work.py",
        "                check_was_whole(now, source)\n",
        "                pass\n",
        ("tests/unit/store/test_lying_store.py", "tests/unit/runtime"),
    ),
    Mutant(
        "an index replaces a document of others by a refusal",
        "sinks/document.py",
        "    if previous is None or not previous.is_foreign_to(mark):\n",
        "    if True:\n",
        ("tests/unit/sinks/test_contract.py", "tests/unit/runtime/test_foreign_documents.py"),
    ),
    Mutant(
        "an upload whose body breaks off is not aborted",
        "store/any_key.py",
        "class _ChunksFailed(Exception):\n",
        "class _ChunksFailed(BaseException):\n",
        ("tests/unit/store",),
    ),
    Mutant(
        "a Kafka partition that goes away is forgotten as a paused one",
        "connect/kafka/group_member.py",
        "        gone = {self.partitions.pop(key) for key in keys if key in self.partitions}\n",
        "        gone = {self.partitions.pop(key) for key in keys if key in self.partitions}\n"
        "        self._paused.difference_update(keys)\n",
        ("tests/unit/connect/test_kafka_group_member.py",),
    ),
    Mutant(
        "a path of a probe needs no token",
        "serving/routes.py",
        "        if request.endpoint not in _OPEN_ROUTES:\n",
        '        if request.path != "/metrics":\n',
        ("tests/functional/test_serving_access.py",),
    ),
    Mutant(
        "work goes on although its caller has left",
        "process/deadline.py",
        "        check_caller(self._subject)\n",
        "",
        ("tests/unit/serving/test_callers_that_left.py",),
    ),
    Mutant(
        "a page that answers a PUT is taken for the store's answer",
        "store/s3.py",
        '                if is_odd_etag(done["e_tag"]):\n',
        "                if False:\n",
        ("tests/unit/store/test_pages_at_every_step.py",),
    ),
    Mutant(
        "a page that answers a DELETE is taken for the store's answer",
        "store/s3.py",
        "        self._check_gone(ref, found)\n",
        "",
        ("tests/unit/store/test_pages_at_every_step.py",),
    ),
    Mutant(
        "a page that says 404 to a HEAD is taken for the store's answer",
        "store/whole_answers.py",
        "        if answer.status == 404 and answer.headers.get(REQUEST_ID):\n",
        "        if answer.status == 404:\n",
        ("tests/unit/store/test_pages_at_every_step.py",),
    ),
    Mutant(
        "a page of a function has the console's origin",
        "local/gateway/proxy.py",
        '        headers += OWN_ORIGIN if not response.getheader("X-Content-Type-Options") else OWN_ORIGIN[:1]\n',
        "",
        ("tests/unit/local/gateway/test_proxy.py",),
    ),
    Mutant(
        "the console shows secrets that are plain variables",
        "settings/shown_environment.py",
        "    return upper in _SECRETS or upper.startswith(_SINK_OWN) or re.search(_TELLING_WORD, upper) is not None\n",
        "    return False\n",
        ("tests/unit/settings/test_shown_environment.py",),
    ),
    Mutant(
        "watch: a request that is refused as a whole counts as told",
        "connect/listing/rounds.py",
        "        if taken in (Taken.UNREAD, Taken.STOPPED) and len(group) > 1:\n",
        "        if False:\n",
        ("tests/unit/connect/test_listing_rounds.py",),
    ),
    Mutant(
        "watch: a page is taken for a function's answer",
        "connect/listing/hints.py",
        '        is_page = said and answer.headers.get("Content-Type", "").startswith("text/html")\n',
        "        is_page = False\n",
        ("tests/unit/connect/test_listing_hints.py",),
    ),
    Mutant(
        "watch: a listing that failed looks like removals",
        "connect/listing/rounds.py",
        "            found = [ref for ref in refs if not any(rule.matches(ref) for rule in self._failed)]\n",
        "            found = refs\n",
        ("tests/unit/connect/test_listing_rounds.py",),
    ),
    Mutant(
        "a topic that the server refuses stops the others",
        "connect/reconnecting.py",
        "        return tuple(topic for topic in self.topics if topic not in self._left_out)\n",
        "        return self.topics\n",
        ("tests/unit/connect/test_reconnecting.py",),
    ),
    Mutant(
        "the bridge stores a request that broke off",
        "connect/bridge/app.py",
        "        body = whole_body(MAX_BODY_BYTES)\n",
        "        body = request.get_data(cache=False)\n",
        ("tests/unit/connect/test_bridge_server.py",),
    ),
    Mutant(
        "a letter that the bridge cannot give to itself is told as an outcome of a function",
        "connect/bridge/server.py",
        "self._callbacks.told([each for each in ended if each[0].target != SELF])",
        "self._callbacks.told(ended)",
        ("tests/unit/connect/test_bridge_server.py",),
    ),
    Mutant(
        "a second answer takes the place of the first one",
        "delivery/http_connection.py",
        "        if self._complete:  # its status",
        "        if not self:  # its status",
        ("tests/unit/delivery/test_http_connection.py",),
    ),
    Mutant(
        "what came behind an answer is taken for that of the next message",
        "delivery/http.py",
        "            if connection.is_quiet():\n",
        "            if connection:\n",
        ("tests/unit/delivery/test_http_connection.py",),
    ),
    Mutant(
        "a failed request that names none of its records counts as delivered",
        "delivery/batching.py",
        "        if all(each.status < 300 for each in answers):\n",
        "        if not answers:\n",
        ("tests/unit/delivery/test_batching.py",),
    ),
    Mutant(
        "JSON of another program with status 200 counts as a removal",
        "sinks/opensearch.py",
        '        if (answer.status, answer.body.get("result")) in ((200, "deleted"), (404, "not_found")):\n',
        '        if answer.status == 200 or answer.body.get("result") == "not_found":\n',
        ("tests/unit/sinks/test_opensearch.py",),
    ),
    Mutant(
        "a chunk that breaks off ends a body on the local stack",
        "local/request_body.py",
        "        if not data:\n            raise _broken_off()\n",
        "        if not data:\n            return 0\n",
        ("tests/unit/local/test_request_body.py",),
    ),
    Mutant(
        "half a head behind an answered request keeps a thread",
        "serving/worker.py",
        "        if not head.is_whole or head.probe or self._others_wait():\n",
        "        if head.probe or self._others_wait():\n",
        ("tests/functional/test_serving_callers.py",),
    ),
    Mutant(
        "a caller that sends one request after the other keeps a thread from the others",
        "serving/worker.py",
        "        if self._others_wait() or not self.alive:\n",
        "        if not self.alive:\n",
        ("tests/functional/test_serving_callers.py",),
    ),
    Mutant(
        "a later request of a kept connection is served before one that waits",
        "serving/worker.py",
        "        if not head.is_whole or head.probe or self._others_wait():\n",
        "        if not head.is_whole or head.probe:\n",
        ("tests/functional/test_serving_callers.py",),
    ),
    Mutant(
        "a connection that may send more takes the place of a request that waits",
        "serving/worker.py",
        "                self._working.discard(conn)  # it is answered: what comes now may have its place\n",
        "                pass\n",
        ("tests/functional/test_serving_callers.py",),
    ),
)
