"""What cannot work is kept where a person finds it, and what was lost comes back."""

from __future__ import annotations

import gzip
import json
import time

from tests.cluster.lake import NAMESPACE, PAGE, ClusterLake
from tests.cluster.pages import block_with

INBOX = ("-n", NAMESPACE, "exec", "penstock-bridge-0", "--", "penstock", "dlq")


def test_refused_event_is_in_the_dead_letters_of_the_bridge(lake: ClusterLake) -> None:
    key = "deeper/not a picture.jpg"
    lake.put("images", key, b"this is text")
    lake.wait_until(
        lambda: key in lake.kubectl(*INBOX, "list", "--inbox", "/data/inbox.db"), "the dead letter is there"
    )
    refusals = [lake.get("processed", name) for name in lake.keys("processed", ".penstock/refused/resize/")]
    assert any(json.loads(text)["source"]["key"] == key for text in refusals)
    assert not lake.has("processed", key)


def test_what_was_refused_and_is_replayed_is_refused_again(lake: ClusterLake) -> None:
    """The commands of the page: a list, and a replay of everything, after which the Broker sends the letter anew."""
    key = "replayed.jpg"

    def letters() -> list[str]:
        """The ids of the letters about the key."""
        told = lake.kubectl(*INBOX, "list", "--inbox", "/data/inbox.db", "--json")
        return [str(each["id"]) for each in map(json.loads, told.splitlines()) if key in json.dumps(each)]

    lake.put("images", key, b"this is text")
    lake.wait_until(lambda: bool(letters()), "the dead letter is there")
    first = letters()
    lake.run(block_with(PAGE, "penstock dlq list"))
    lake.wait_until(lambda: bool(letters()) and not set(first) & set(letters()), "another letter has taken its place")


def test_reconcile_job_makes_what_is_missing(lake: ClusterLake) -> None:
    """An object of a time when no notification was sent: its target is made by the CronJob's pod, and by no event."""
    key = "before the rules.csv"
    lake.put("upload", key, b"a,b\n" * 10)
    lake.wait_until(lambda: lake.has("processed", f"{key}.gz"), "the result is there")
    lake.wait_for_zero("compress")
    lake.store.remove_object(bucket_name="processed", object_name=f"{key}.gz")
    name = f"reconcile-{time.time_ns()}"
    lake.kubectl("-n", NAMESPACE, "create", "job", name, "--from=cronjob/compress-reconcile")
    lake.kubectl("-n", NAMESPACE, "wait", f"job/{name}", "--for=condition=Complete", "--timeout=180s")
    assert gzip.decompress(lake.get("processed", f"{key}.gz")) == b"a,b\n" * 10
    assert "compress:" in lake.kubectl("-n", NAMESPACE, "logs", f"job/{name}")


def test_function_without_its_bucket_is_not_ready_and_says_which(lake: ClusterLake) -> None:
    document = json.loads(lake.kubectl("-n", NAMESPACE, "get", "ksvc", "compress", "-o", "json"))
    template = document["spec"]["template"]
    template["metadata"].pop("name", None)
    [source] = [each for each in template["spec"]["containers"][0]["env"] if each["name"] == "SOURCE"]
    source["value"] = "s3://missing/*.csv"
    labels = document["metadata"]["labels"]
    late = {
        "apiVersion": document["apiVersion"],
        "kind": "Service",
        "metadata": {"name": "late", "namespace": NAMESPACE, "labels": labels},
        "spec": {"template": template},
    }
    # The functions' own policy names three buckets; of any other MinIO says "access denied", also when it is missing.
    lake.mc("admin", "policy", "attach", "lake", "readwrite", "--user", "functions")
    lake.server.apply_documents([late])
    log = ("-n", NAMESPACE, "logs", "-l", "serving.knative.dev/service=late", "-c", "function")
    try:
        lake.wait_until(
            lambda: "bucket missing: the bucket does not exist" in lake.kubectl(*log, check=False),
            "the log names the bucket",
        )
        ready = "jsonpath={.status.conditions[?(@.type=='Ready')].status}"
        assert lake.kubectl("-n", NAMESPACE, "get", "ksvc", "late", "-o", ready) != "True"
        lake.store.make_bucket(bucket_name="missing")
        lake.kubectl("-n", NAMESPACE, "wait", "ksvc/late", "--for=condition=Ready", "--timeout=180s")
    finally:
        lake.kubectl("-n", NAMESPACE, "delete", "ksvc", "late", "--ignore-not-found", "--wait=false")
        lake.mc("admin", "policy", "detach", "lake", "readwrite", "--user", "functions")
