"""Each module that holds a rule has a test file of its name, so that a reader finds its tests without a search.

`folder/name.py` has `test_name.py` or `test_folder_name.py`: in tests/unit/folder or in a folder above it, or in
tests/functional, where it shows in a process or in a whole application only.
"""

from pathlib import Path

from tests.paths import ROOT

PACKAGE = ROOT / "shared" / "penstock"
MODULES = sorted(str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")
UNIT = ROOT / "tests" / "unit"
FUNCTIONAL = ROOT / "tests" / "functional"

# Modules without a rule of their own.
WITHOUT_RULES = {
    "commands/bridge.py": "flags and wiring",
    "commands/connect_amqp.py": "flags and wiring",
    "commands/connect_kafka.py": "flags and wiring",
    "commands/connect_mqtt.py": "flags and wiring",
    "commands/connect_nats.py": "flags and wiring",
    "commands/connect_redis.py": "flags and wiring",
    "commands/connect_sqs.py": "flags and wiring",
    "commands/queue_connector.py": "flags and wiring",
    "commands/demo.py": "flags and wiring",
    "commands/donors.py": "flags and wiring",
    "commands/words.py": "a list",
    "delivery/dead_letters.py": "a value and a protocol",
    "local/console/source.py": "a protocol",
    "delivery/measures.py": "names of metrics; docs/reference.md is held to them",
    "process/metric_table.py": "a list; docs/reference.md is made of it",
    "doctor/finding.py": "values",
    "events/envelope.py": "a value",
    "errors.py": "the error tree; docs/reference.md is held to it",
    "local/demo/donor_names.py": "lists",
    "local/running.py": "a value",
    "runtime/outcome.py": "values",
    "settings/connector_table.py": "a list; docs/settings.md is made of it",
    "settings/every_setting.py": "a list",
    "serve.py": "one call of the command",
    "types.py": "values",
}
# Rules that show in the tests of what they are a part of. The list may only become shorter.
TESTED_IN = {
    "commands/reconcile.py": "tests/unit/reconcile/test_compare.py",
    "commands/run.py": "tests/functional/test_oneshot.py",
    "commands/serve.py": "tests/functional/test_serving_wiring.py",
    "connect/amqp/connector.py": "tests/integration/test_amqp_connector.py",
    "connect/amqp/link.py": "tests/integration/test_amqp_connector.py",
    "connect/amqp/queue.py": "tests/integration/test_amqp_connector.py",
    "connect/amqp/session.py": "tests/integration/test_amqp_connector.py",
    "connect/kafka/dead_letter_log.py": "tests/integration/test_kafka_connector.py",
    "connect/kafka/listen.py": "tests/integration/test_kafka_connector.py",
    "connect/mqtt/listen.py": "tests/integration/test_mqtt_connector.py",
    "connect/nats/connector.py": "tests/integration/test_nats_connector.py",
    "connect/redis/connector.py": "tests/integration/test_redis_connector.py",
    "connect/redis/session.py": "tests/integration/test_redis_connector.py",
    "connect/redis/taken_list.py": "tests/integration/test_redis_connector.py",
    "connect/sqs/connector.py": "tests/integration/test_sqs_connector.py",
    "connect/sqs/session.py": "tests/integration/test_sqs_connector.py",
    "connect/openfaas.py": "tests/unit/connect/test_edition.py",
    "delivery/sender.py": "tests/unit/delivery/test_inbox_sender.py",
    "jobs/job.py": "tests/unit/jobs/test_policy.py",
    "jobs/release.py": "tests/unit/commands/test_jobs.py",
    "lake/minio_buckets.py": "tests/integration/lake/test_lake.py",
    "lake/model.py": "tests/unit/lake/test_file.py",
    "lake/plan.py": "tests/unit/lake/test_applying.py",
    "lake/s3_server.py": "tests/unit/lake/test_s3_notifications.py",
    "lake/server.py": "tests/integration/lake/test_lake.py",
    "local/console/object_page.py": "tests/unit/local/console/test_views.py",
    "local/demo/demo.py": "tests/e2e/test_stack.py",
    "local/demo/photos.py": "tests/unit/local/demo/test_checks.py",
    "local/project.py": "tests/integration/test_package_alone.py",
    "local/store/minio.py": "tests/integration/test_stack_on_minio.py",
    "process/exposition.py": "tests/unit/process/test_status_server.py",
    "reconcile/engine.py": "tests/unit/reconcile/test_compare.py",
    "reconcile/worker.py": "tests/unit/reconcile/test_compare.py",
    "render/bridge.py": "tests/functional/test_render_manifest.py",
    "render/knative.py": "tests/functional/test_render_manifest.py",
    "render/network.py": "tests/functional/test_render_manifest.py",
    "render/openfaas.py": "tests/functional/test_render_manifest.py",
    "render/plan.py": "tests/functional/test_render_manifest.py",
    "runtime/handling.py": "tests/unit/runtime/test_changes_meanwhile.py",
    "runtime/runtime.py": "tests/unit/test_interleaving.py",
    "runtime/work.py": "tests/unit/test_interleaving.py",
    "serving/gunicorn.py": "tests/functional/test_serving_server.py",
    "serving/heads.py": "tests/functional/test_serving_callers.py",
    "serving/health.py": "tests/functional/test_app.py",
    "serving/worker.py": "tests/functional/test_serving_callers.py",
    "settings/config.py": "tests/unit/settings/test_environment.py",
    "sinks/cassandra_address.py": "tests/unit/sinks/test_address.py",
    "sinks/document.py": "tests/unit/sinks/test_opensearch.py",
    "sinks/postgresql_address.py": "tests/unit/sinks/test_address.py",
    "sinks/postgresql_table.py": "tests/integration/test_postgresql_sink.py",
    "sinks/rows.py": "tests/unit/sinks/test_sqlite_rows.py",
    "sinks/search_address.py": "tests/unit/sinks/test_address.py",
    "sinks/search_server.py": "tests/unit/sinks/test_opensearch.py",
    "sinks/sqlite_address.py": "tests/unit/sinks/test_address.py",
    "sinks/sqlite_words.py": "tests/unit/sinks/test_sqlite.py",
    "store/any_key.py": "tests/unit/store/test_s3.py",
    "store/deadline.py": "tests/functional/test_process_deadline.py",
    "store/minio_client.py": "tests/unit/store/test_s3.py",
    "store/s3_client.py": "tests/unit/store/test_s3.py",
    "store/whole_answers.py": "tests/unit/store/test_s3.py",
}


# Why a module of TESTED_IN has no test file of its own, by the folder or the file of its tests.
REASONS = {
    "tests/integration/": "what it does is what a real server makes of it",
    "tests/functional/": "it shows in a process, or in whole files that are made",
    "tests/e2e/": "it shows in a whole stack",
    "tests/unit/commands/test_jobs.py": "the command is what lets a Job go",
    "tests/unit/connect/test_edition.py": "the client asks the gateway for what an edition is known by",
    "tests/unit/delivery/test_inbox_sender.py": "the inbox sender is the sender with an inbox",
    "tests/unit/jobs/test_policy.py": "a policy decides what a Job's state means",
    "tests/unit/lake/test_applying.py": "a plan is shown by what applying it does",
    "tests/unit/lake/test_file.py": "the file is read into the model, which refuses what cannot be",
    "tests/unit/lake/test_s3_notifications.py": "the server is asked for its notifications and nothing else",
    "tests/unit/local/console/test_views.py": "the page of an object is one of the views",
    "tests/unit/local/demo/test_checks.py": "the photographs are what is checked",
    "tests/unit/process/test_status_server.py": "the server sends what the exposition makes",
    "tests/unit/reconcile/test_compare.py": "comparing, running and the command are one run of reconcile",
    "tests/unit/runtime/test_changes_meanwhile.py": "a handler's run is told from what changes beside it",
    "tests/unit/settings/test_environment.py": "the configuration is what the environment is read into",
    "tests/unit/sinks/test_address.py": "one table of addresses holds for every sink",
    "tests/unit/sinks/test_opensearch.py": "OpenSearch and Elasticsearch are one sink with two dialects",
    "tests/unit/sinks/test_sqlite.py": "the words are looked for through the sink",
    "tests/unit/sinks/test_sqlite_rows.py": "what rows have in common shows in those of SQLite",
    "tests/unit/store/test_s3.py": "one store in parts: each part shows in its requests",
    "tests/unit/test_interleaving.py": "every order of its requests is tried, with each safeguard taken out",
}


def reason(path: str) -> str | None:
    """Why this file has the tests of a module of another name."""
    return next((why for place, why in REASONS.items() if path.startswith(place)), None)


def has_its_test(module: str) -> bool:
    path = Path(module)
    names = (f"test_{path.stem}.py", f"test_{path.parent.name}_{path.stem}.py")
    folders = [*(UNIT / folder for folder in path.parents), FUNCTIONAL]
    return any((folder / name).is_file() for folder in folders for name in names)


def test_a_module_with_a_rule_has_a_test_file_of_its_name() -> None:
    without = [module for module in MODULES if not has_its_test(module)]
    assert [module for module in without if module not in WITHOUT_RULES and module not in TESTED_IN] == []


def test_the_lists_name_what_is_there_and_is_needed() -> None:
    listed = {*WITHOUT_RULES, *TESTED_IN}
    assert listed <= set(MODULES)
    assert {module for module in TESTED_IN if has_its_test(module)} == set()
    assert {path for path in TESTED_IN.values() if not (ROOT / path).is_file()} == set()
    assert not set(WITHOUT_RULES) & set(TESTED_IN)


def test_every_other_place_has_its_reason() -> None:
    assert {path for path in TESTED_IN.values() if reason(path) is None} == set()
    assert {place for place in REASONS if not any(path.startswith(place) for path in TESTED_IN.values())} == set()
