"""The alert rules, read and evaluated by Prometheus's own code on series that each test makes up."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest
import yaml

from tests.components.prometheus import RULE_CHECK
from tests.paths import DEPLOY


def rules() -> str:
    """The groups of the PrometheusRule, as a rule file."""
    document = yaml.safe_load((DEPLOY / "observability" / "alerts.yaml").read_text(encoding="utf-8"))
    return yaml.safe_dump({"groups": document["spec"]["groups"]})


def ask(series: str = "", minute: int = 0, text: str | None = None) -> dict[str, Any]:
    question = json.dumps({"rules": text or rules(), "series": series, "minute": minute})
    program = RULE_CHECK.install() / "rule-check"
    result = subprocess.run([program], input=question, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


def firing(*series: str, minute: int) -> dict[str, list[dict[str, str]]]:
    """The alerts whose expressions hold, with their labels; each series has a value a minute."""
    found: dict[str, list[dict[str, str]]] = ask("load 1m\n" + "\n".join(f"  {each}" for each in series), minute)[
        "firing"
    ]
    return found


def test_prometheus_reads_every_rule() -> None:
    assert ask()["problems"] == []


def test_a_rule_that_cannot_be_read_is_noticed() -> None:
    assert ask(text=rules().replace("sum by (namespace, pod)", "sum by namespace, pod"))["problems"]


def test_quiet_lake_fires_nothing() -> None:
    quiet = [
        'penstock_inbox_dead{namespace="penstock",pod="b-0"} 0x90',
        "penstock_dead_letters_total 0x90",
        'penstock_kafka_lag{topic="upload",partition="0"} 20x90',
        'penstock_inbox_oldest_seconds{pod="b-0"} 3x90',
        'penstock_outcomes_total{pod="b-0",to="shop",end="given_up"} 3x90',
        'penstock_outcomes_total{pod="b-0",to="shop",end="sent"} 0+60x90',
        'penstock_events_total{function="compress",outcome="processed"} 0+60x90',
        'penstock_jobs_settled_total{function="compress",end="succeeded"} 0+1x90',
        'kube_job_status_failed{namespace="penstock",job_name="compress-reconcile-1"} 0x90',
        'kube_cronjob_status_last_successful_time{namespace="penstock",cronjob="compress-reconcile"} 0x90',
        'penstock_watch_last_round_seconds{namespace="penstock",pod="w-0"} 0+60x90',
        'penstock_watch_hints_total{namespace="penstock",pod="w-0",outcome="failed"} 2x90',
    ]
    assert firing(*quiet, minute=80) == {}


@pytest.mark.parametrize(
    ("series", "minute", "alert"),
    [
        ('penstock_inbox_dead{namespace="penstock",pod="b-0"} 0 1x20', 10, "PenstockDeadLetters"),
        ("penstock_dead_letters_total 0x10 1x20", 20, "PenstockDeadLettersInKafka"),
        ('penstock_kafka_lag{topic="upload",partition="0"} 10001x20', 10, "PenstockLag"),
        ('penstock_inbox_oldest_seconds{pod="b-0"} 901x20', 10, "PenstockInboxOld"),
        ('penstock_outcomes_total{pod="b-0",to="shop",end="given_up"} 0x5 1x20', 8, "PenstockOutcomesGivenUp"),
        ('penstock_events_total{function="compress",outcome="failed"} 0+5x20', 15, "PenstockErrorRate"),
        (
            'kube_job_status_failed{namespace="penstock",job_name="index-reconcile-2"} 1x20',
            5,
            "PenstockReconcileFailed",
        ),
        (
            'kube_cronjob_status_last_successful_time{namespace="openfaas-fn",cronjob="index-reconcile"} 0x1500',
            1450,
            "PenstockReconcileLate",
        ),
        ('penstock_jobs_settled_total{function="compress",end="failed"} 0x30 1x60', 60, "PenstockJobsFailed"),
        # Its listings fail, it has never come to the end of one, and it is gone.
        ('penstock_watch_last_round_seconds{namespace="n",pod="w"} 0+60x10 600x80', 75, "PenstockWatchStopped"),
        ('penstock_watch_last_round_seconds{namespace="n",pod="w"} 0x80', 70, "PenstockWatchStopped"),
        ('penstock_watch_last_round_seconds{namespace="n",pod="w"} 0+60x30 stale _x40', 60, "PenstockWatchStopped"),
        (
            'penstock_watch_hints_total{namespace="n",pod="w",outcome="failed"} 0x5 1+1x40',
            20,
            "PenstockWatchTargetFails",
        ),
    ],
)
def test_alert_fires_for_what_it_is_about(series: str, minute: int, alert: str) -> None:
    assert alert in firing(series, minute=minute)


def test_share_of_errors_counts_for_each_function() -> None:
    found = firing(
        'penstock_events_total{function="compress",outcome="processed"} 0+100x20',
        'penstock_events_total{function="compress",outcome="failed"} 0+1x20',
        'penstock_events_total{function="resize",outcome="processed"} 0+100x20',
        'penstock_events_total{function="resize",outcome="failed"} 0+10x20',
        minute=15,
    )
    assert found == {"PenstockErrorRate": [{"function": "resize"}]}


def test_crash_in_a_pod_that_was_just_started_fires() -> None:
    # The counter appears with its first value: increase() alone would not see it.
    series = 'penstock_events_total{function="compress",outcome="crashed",pod="new"} _x9 1x30'
    assert firing(series, minute=12)["PenstockCrashes"] == [{"function": "compress"}]


def test_lag_of_a_topic_is_counted_once_however_many_connectors_tell_it() -> None:
    series = [
        f'penstock_kafka_lag{{topic="upload",partition="{number}",pod="{pod}"}} 4000x20'
        for number in (0, 1)
        for pod in ("a", "b")
    ]
    assert "PenstockLag" not in firing(*series, minute=10)


@pytest.mark.parametrize(
    ("series", "minute"),
    [
        # A first listing that takes half an hour, a watch that lists twice an hour, and one whose pod was replaced.
        (['penstock_watch_last_round_seconds{namespace="n",pod="w"} 0x30 1800+60x60'], 35),
        (['penstock_watch_last_round_seconds{namespace="n",pod="w"} 0x29 1800x29 3600x29 5400x29'], 115),
        (
            [
                'penstock_watch_last_round_seconds{namespace="n",pod="old"} 0+60x30 stale _x60',
                'penstock_watch_last_round_seconds{namespace="n",pod="new"} _x32 1920+60x60',
            ],
            60,
        ),
        # It was taken away on purpose, more than an hour ago.
        (['penstock_watch_last_round_seconds{namespace="n",pod="w"} 0+60x10 stale _x90'], 80),
    ],
)
def test_a_watch_that_lists_is_not_said_to_have_stopped(series: list[str], minute: int) -> None:
    assert "PenstockWatchStopped" not in firing(*series, minute=minute)
