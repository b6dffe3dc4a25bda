"""A lake is applied in an order that keeps what agrees; it changes no other owner's rules, and says what it did."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
from penstock.errors import ConfigError, TemporaryError
from penstock.lake.model import Bucket, DeclaredLake, NotificationTarget, Rule, TargetRef
from penstock.lake.plan import LakeChange, PresentRule

from tests.unit.lake.conftest import KAFKA, WEBHOOK, kafka, webhook
from tests.unit.lake.fake_minio import FakeMinio

Apply = Callable[..., list[LakeChange]]


def foreign_rule(minio: FakeMinio, ref: TargetRef, bucket: str = "upload", rule_id: str = "") -> PresentRule:
    """A rule of another owner on a bucket, and its target."""
    minio.buckets.setdefault(bucket, False)
    minio.running[ref] = minio.stored[ref] = {"enable": "on", "comment": "for billing"}
    rule = PresentRule(rule_id, minio.arn(ref), bucket, "", ".csv", ("s3:ObjectAccessed:*",))
    minio.kept_rules.append(rule)
    return rule


def test_first_apply_creates_everything_with_one_restart(minio: FakeMinio, apply: Apply, lake: DeclaredLake) -> None:
    apply(lake)

    assert minio.calls == [
        "sync_events",
        "create upload",
        "create processed",
        "versioning processed on",
        "set kafka:uploads",
        "restart",
        "rules upload",
    ]
    assert minio.running[KAFKA]["queue_dir"] == "/events"
    (rule,) = minio.kept_rules
    assert (rule.prefix, rule.suffix, rule.events) == ("", ".csv", ("s3:ObjectCreated:*", "s3:ObjectRemoved:*"))


def test_second_apply_changes_nothing(minio: FakeMinio, apply: Apply, lake: DeclaredLake) -> None:
    apply(dataclasses.replace(lake, targets=(kafka(), webhook("token"))))
    minio.calls.clear()

    assert apply(dataclasses.replace(lake, targets=(kafka(), webhook("token")))) == []
    assert minio.calls == []


def test_a_new_rule_needs_no_restart(minio: FakeMinio, apply: Apply, lake: DeclaredLake) -> None:
    apply(lake)
    minio.calls.clear()

    (change,) = apply(dataclasses.replace(lake, rules=(*lake.rules, Rule("processed", KAFKA, "", ".gz"))))

    assert str(change).startswith("+ rule s3://processed/*.gz -> kafka:uploads")
    assert minio.calls == ["rules processed"]


def test_a_changed_secret_is_seen_although_the_server_never_tells_it(
    minio: FakeMinio, apply: Apply, lake: DeclaredLake
) -> None:
    apply(dataclasses.replace(lake, targets=(kafka(), webhook("old"))))

    (change,) = apply(dataclasses.replace(lake, targets=(kafka(), webhook("new"))))

    assert change.details == ("secrets: changed",)
    assert minio.running[WEBHOOK]["auth_token"] == "new"
    assert "new" not in minio.running[WEBHOOK]["comment"]


def test_a_key_that_is_no_longer_declared_gets_its_default_back(
    minio: FakeMinio, apply: Apply, lake: DeclaredLake
) -> None:
    apply(dataclasses.replace(lake, targets=(kafka(queue_limit="5"),)))

    (change,) = apply(lake)

    assert change.details == ("queue_limit: 5 -> 0",)
    assert minio.running[KAFKA]["queue_limit"] == "0"


def test_other_peoples_rules_and_targets_stay(minio: FakeMinio, apply: Apply, lake: DeclaredLake) -> None:
    by_mc = foreign_rule(minio, TargetRef("kafka", "billing"))
    by_another_lake = foreign_rule(minio, TargetRef("kafka", "day"), rule_id="penstock.day.1234")
    theirs = {ref: dict(values) for ref, values in minio.stored.items()}

    apply(lake)
    apply(DeclaredLake(lake.name, sync_events=False))

    assert minio.kept_rules == [by_mc, by_another_lake]
    assert minio.running == theirs


def test_a_lake_whose_name_begins_like_another_is_another(minio: FakeMinio, apply: Apply, lake: DeclaredLake) -> None:
    longer = dataclasses.replace(lake, name="night-shift", targets=(), rules=())
    apply(lake)

    assert apply(longer) == []
    assert len(minio.kept_rules) == 1


def test_removal_takes_rules_off_before_their_target_goes(minio: FakeMinio, apply: Apply, lake: DeclaredLake) -> None:
    apply(lake)
    minio.calls.clear()

    apply(DeclaredLake(lake.name, sync_events=False))

    assert minio.calls == ["rules upload", "remove kafka:uploads", "restart"]
    assert (minio.kept_rules, minio.running, set(minio.buckets)) == ([], {}, {"upload", "processed"})


def test_a_target_of_another_owner_is_not_overwritten(minio: FakeMinio, apply: Apply, lake: DeclaredLake) -> None:
    foreign_rule(minio, KAFKA)

    with pytest.raises(ConfigError, match=r"kafka:uploads: exists and belongs to another owner; .*--adopt"):
        apply(lake)
    assert minio.calls == []

    apply(lake, adopt=True)
    assert minio.running[KAFKA]["comment"] == "penstock:night"


def test_a_target_of_another_lake_is_not_overwritten(minio: FakeMinio, apply: Apply, lake: DeclaredLake) -> None:
    apply(lake)

    with pytest.raises(ConfigError, match="exists and belongs to lake night"):
        apply(dataclasses.replace(lake, name="day"))


def test_a_target_that_the_servers_environment_sets_is_refused(
    minio: FakeMinio, apply: Apply, lake: DeclaredLake
) -> None:
    minio.overrides[KAFKA] = ("MINIO_NOTIFY_KAFKA_TOPIC_uploads",)

    with pytest.raises(ConfigError, match="environment sets MINIO_NOTIFY_KAFKA_TOPIC_uploads, which wins"):
        apply(lake)


def test_an_external_target_is_used_and_never_written(minio: FakeMinio, apply: Apply, lake: DeclaredLake) -> None:
    external = dataclasses.replace(lake, targets=(NotificationTarget(KAFKA, external=True),))
    with pytest.raises(ConfigError, match="kafka:uploads: is external, but the server has no such target"):
        apply(external)
    minio.running[KAFKA] = minio.stored[KAFKA] = {"enable": "on"}

    apply(external)

    assert [rule.arn for rule in minio.kept_rules] == [minio.arn(KAFKA)]
    assert minio.stored == {KAFKA: {"enable": "on"}}


def test_a_refused_target_leaves_the_rules_as_they_were(minio: FakeMinio, apply: Apply, lake: DeclaredLake) -> None:
    apply(lake)
    before = list(minio.kept_rules)
    minio.unreachable.add(WEBHOOK)
    more = dataclasses.replace(lake, targets=(kafka(topic="other"), webhook()), rules=(Rule("upload", WEBHOOK),))

    with pytest.raises(ConfigError, match="connection refused"):
        apply(more)
    assert minio.kept_rules == before
    assert "restart" not in minio.calls[-2:]

    minio.unreachable.clear()
    apply(more)
    assert minio.running[KAFKA]["topic"] == "other"
    assert [rule.arn for rule in minio.kept_rules] == [minio.arn(WEBHOOK)]


def test_without_leave_to_restart_the_rest_follows_after_it(minio: FakeMinio, apply: Apply, lake: DeclaredLake) -> None:
    with pytest.raises(TemporaryError, match="needs a restart before it has the targets"):
        apply(lake, may_restart=False)
    assert "restart" not in minio.calls

    minio.refused_after_restart = 0
    minio.restart()
    changes = apply(lake, may_restart=False)

    assert [change.needs_restart for change in changes] == [False]


def test_a_server_that_does_not_come_back_is_told(minio: FakeMinio, apply: Apply, lake: DeclaredLake) -> None:
    minio.refused_after_restart = 10**6

    with pytest.raises(TemporaryError, match="not as declared 120 s after its restart: connection refused"):
        apply(lake)


def test_a_server_that_does_not_restart_is_told(minio: FakeMinio, apply: Apply, lake: DeclaredLake) -> None:
    minio.ignores_restart = True

    with pytest.raises(TemporaryError, match="1 of its nodes have not restarted"):
        apply(lake)


def test_every_node_is_waited_for(minio: FakeMinio, apply: Apply, lake: DeclaredLake) -> None:
    minio.other_uptimes = (None, 100_000)

    with pytest.raises(TemporaryError, match="2 of its nodes have not restarted"):
        apply(lake)


def test_another_program_that_changes_rules_meanwhile_is_noticed(
    minio: FakeMinio, apply: Apply, lake: DeclaredLake
) -> None:
    real = minio.change_rules

    def lose(bucket: str, drop: Callable[[str], bool], add: list[PresentRule]) -> None:
        real(bucket, drop, add)
        minio.kept_rules.clear()

    minio.change_rules = lose  # type: ignore[method-assign]

    with pytest.raises(TemporaryError, match=r"another client changes it too; apply again: \+ rule s3://upload"):
        apply(lake)


def test_what_differs_is_shown_before_anything_changes(minio: FakeMinio, apply: Apply, lake: DeclaredLake) -> None:
    seen: list[tuple[list[str], list[str]]] = []

    changes = apply(lake, show=lambda changes: seen.append(([str(each) for each in changes], list(minio.calls))))

    assert seen == [([str(change) for change in changes], [])]


def test_versioning_is_suspended_only_when_declared(minio: FakeMinio, apply: Apply) -> None:
    minio.buckets = {"keep": True, "stop": True}

    changes = apply(DeclaredLake("night", (Bucket("keep"), Bucket("stop", False)), sync_events=False))

    assert [str(change) for change in changes] == ["~ bucket stop\n    versioning: on -> off"]
    assert minio.buckets == {"keep": True, "stop": False}


def test_sync_events_that_the_environment_turns_off_is_told(minio: FakeMinio, apply: Apply, lake: DeclaredLake) -> None:
    minio.sync_events_from = "MINIO_API_SYNC_EVENTS"

    with pytest.raises(ConfigError, match="turns it off with MINIO_API_SYNC_EVENTS"):
        apply(lake)


def test_a_rule_on_a_bucket_that_is_nowhere_is_refused(apply: Apply, lake: DeclaredLake) -> None:
    with pytest.raises(ConfigError, match="bucket elsewhere: a rule needs it, but it does not exist"):
        apply(dataclasses.replace(lake, rules=(Rule("elsewhere", KAFKA),)))


def test_a_lake_built_in_code_is_checked_like_a_file(minio: FakeMinio, apply: Apply) -> None:
    lake = DeclaredLake(
        "Night", (Bucket("x"),), (NotificationTarget(KAFKA, {"topic": "t"}),), (Rule("upload", WEBHOOK, "a*"),)
    )

    with pytest.raises(ConfigError) as caught:
        apply(lake)

    text = str(caught.value)
    for expected in (
        "name: ",
        "bucket 'x': ",
        "brokers: missing",
        "queue_dir: missing",
        "holds * or ?",
        "not declared",
    ):
        assert expected in text
    assert minio.calls == []


def test_a_start_that_lost_a_target_is_told(minio: FakeMinio, apply: Apply, lake: DeclaredLake) -> None:
    minio.lost_at_start = {KAFKA}

    with pytest.raises(TemporaryError, match="its ARNs are not as declared for kafka:uploads"):
        apply(lake)


def test_removal_without_a_restart_takes_the_rules_and_leaves_the_target_to_the_next_start(
    minio: FakeMinio, apply: Apply, lake: DeclaredLake
) -> None:
    apply(lake)
    minio.calls.clear()

    changes = apply(DeclaredLake(lake.name, sync_events=False), may_restart=False)

    assert [change.action for change in changes] == ["remove", "remove"]
    assert minio.calls == ["rules upload", "remove kafka:uploads"]
    assert (minio.kept_rules, minio.stored, set(minio.running)) == ([], {}, {KAFKA})


def test_lambda_target_is_added_kept_and_removed(minio: FakeMinio, apply: Apply) -> None:
    ref = TargetRef("lambda", "resize")
    target = NotificationTarget(ref, {"endpoint": "http://resize:8080/lambda"})
    lake, empty = DeclaredLake("night", targets=(target,), sync_events=False), DeclaredLake("night", sync_events=False)

    [added] = apply(lake)
    assert added.summary == "+ target lambda:resize; endpoint: http://resize:8080/lambda"
    assert "queue_dir" not in minio.running[ref]
    assert apply(lake) == []
    [removed] = apply(empty)
    assert removed.summary == "- target lambda:resize"
    assert minio.running == {}
