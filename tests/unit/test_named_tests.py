"""Each module that holds a rule has a test file of its name, so that a reader finds its tests without a search.

`folder/name.py` has `test_name.py` or `test_folder_name.py`, in tests/unit/folder or in a folder above it.
"""

from pathlib import Path

import pytest

from tests.paths import ROOT

PACKAGE = ROOT / "shared" / "penstock"
MODULES = sorted(str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")
UNIT = ROOT / "tests" / "unit"

# Modules without a rule of their own.
WITHOUT_RULES = {
    "commands/bridge.py": "flags and wiring",
    "commands/connect_kafka.py": "flags and wiring",
    "commands/connect_mqtt.py": "flags and wiring",
    "commands/connect_nats.py": "flags and wiring",
    "commands/queue_connector.py": "flags and wiring",
    "commands/demo.py": "flags and wiring",
    "commands/donors.py": "flags and wiring",
    "commands/words.py": "a list",
    "delivery/dead_letters.py": "a value and a protocol",
    "local/console/source.py": "a protocol",
    "delivery/measures.py": "names of metrics; docs/reference.md is held to them",
    "errors.py": "the error tree; docs/reference.md is held to it",
    "local/demo/donor_names.py": "lists",
    "local/running.py": "a value",
    "runtime/outcome.py": "values",
    "serve.py": "one call of the command",
    "types.py": "values",
}
# Rules that show in the tests of what they are a part of. The list may only become shorter.
TESTED_IN = {
    "cli.py": "tests/unit/commands/test_cli.py",
    "commands/init.py": "tests/functional/test_package_alone.py",
    "commands/reconcile.py": "tests/unit/reconcile/test_compare.py",
    "commands/run.py": "tests/functional/test_oneshot.py",
    "commands/serve.py": "tests/functional/test_serve_settings.py",
    "connect/bridge/app.py": "tests/unit/connect/test_bridge.py",
    "connect/bridge/description.py": "tests/unit/test_descriptions.py",
    "connect/bridge/server.py": "tests/unit/connect/test_bridge_inbox.py",
    "connect/kafka/dead_letter_log.py": "tests/integration/test_kafka_connector.py",
    "connect/kafka/dead_letter_topic.py": "tests/unit/connect/test_kafka_connector.py",
    "connect/kafka/listen.py": "tests/integration/test_kafka_connector.py",
    "connect/minio/listen.py": "tests/integration/test_bridge_connector.py",
    "connect/mqtt/listen.py": "tests/integration/test_mqtt_connector.py",
    "connect/nats/connector.py": "tests/integration/test_nats_connector.py",
    "connect/nats/session.py": "tests/integration/test_nats_connector.py",
    "connect/openfaas.py": "tests/unit/connect/test_edition.py",
    "connect/rest.py": "tests/unit/connect/test_edition.py",
    "delivery/identity.py": "tests/unit/connect/test_bridge_identity.py",
    "delivery/reserve.py": "tests/unit/delivery/test_inbox_file.py",
    "delivery/sender.py": "tests/unit/delivery/test_inbox_sender.py",
    "doctor/finding.py": "tests/unit/doctor/test_store.py",
    "jobs/job.py": "tests/unit/jobs/test_policy.py",
    "jobs/release.py": "tests/unit/commands/test_jobs.py",
    "json_text.py": "tests/unit/sinks/test_contract.py",
    "lake/minio_buckets.py": "tests/integration/lake/test_lake.py",
    "lake/model.py": "tests/unit/lake/test_file.py",
    "lake/ownership.py": "tests/unit/lake/test_minio_admin.py",
    "lake/plan.py": "tests/unit/lake/test_applying.py",
    "lake/server.py": "tests/integration/lake/test_lake.py",
    "local/console/object_page.py": "tests/unit/local/console/test_views.py",
    "local/demo/demo.py": "tests/e2e/test_stack.py",
    "local/demo/photos.py": "tests/unit/local/demo/test_checks.py",
    "local/functions/logs.py": "tests/unit/local/functions/test_functions.py",
    "local/functions/process.py": "tests/unit/local/functions/test_functions.py",
    "local/gateway/asynchronous.py": "tests/unit/local/gateway/test_gateway.py",
    "local/gateway/console.py": "tests/unit/local/gateway/test_gateway.py",
    "local/functions/secret_files.py": "tests/unit/local/gateway/test_faas_cli_requests.py",
    "local/gateway/deployments.py": "tests/unit/local/gateway/test_gateway.py",
    "local/gateway/description.py": "tests/unit/test_descriptions.py",
    "local/gateway/invocations.py": "tests/unit/local/gateway/test_gateway.py",
    "local/gateway/metrics.py": "tests/unit/local/gateway/test_gateway.py",
    "local/gateway/proxy.py": "tests/unit/local/gateway/test_gateway.py",
    "local/gateway/secrets_api.py": "tests/unit/local/gateway/test_faas_cli_requests.py",
    "local/gateway/system_api.py": "tests/unit/local/gateway/test_gateway.py",
    "local/project.py": "tests/functional/test_package_alone.py",
    "local/stack.py": "tests/unit/local/test_stack_folder.py",
    "local/store/large_uploads.py": "tests/unit/local/store/test_server.py",
    "local/store/minio.py": "tests/integration/test_stack_on_minio.py",
    "local/store/notifications.py": "tests/unit/local/store/test_server.py",
    "local/store/object_folder.py": "tests/unit/local/store/test_server.py",
    "local/store/s3_http.py": "tests/unit/local/store/test_server.py",
    "process/deadline.py": "tests/functional/test_app_deadline.py",
    "process/exposition.py": "tests/unit/process/test_status_server.py",
    "process/loopback.py": "tests/functional/test_serve_on_loopback.py",
    "process/openapi.py": "tests/unit/test_descriptions.py",
    "process/signals.py": "tests/functional/test_app_process.py",
    "reconcile/engine.py": "tests/unit/reconcile/test_compare.py",
    "reconcile/worker.py": "tests/unit/reconcile/test_compare.py",
    "render/bridge.py": "tests/functional/test_manifests.py",
    "render/knative.py": "tests/functional/test_manifests.py",
    "render/manifest.py": "tests/functional/test_manifests.py",
    "render/network.py": "tests/functional/test_manifests.py",
    "render/openfaas.py": "tests/functional/test_manifests.py",
    "render/plan.py": "tests/functional/test_manifests.py",
    "runtime/handling.py": "tests/unit/runtime/test_changes_meanwhile.py",
    "runtime/runtime.py": "tests/unit/test_interleaving.py",
    "runtime/work.py": "tests/unit/test_interleaving.py",
    "serving/access.py": "tests/functional/test_app_access.py",
    "serving/app.py": "tests/functional/test_app.py",
    "serving/callers.py": "tests/functional/test_app_callers.py",
    "serving/description.py": "tests/unit/test_descriptions.py",
    "serving/gunicorn.py": "tests/functional/test_app_process.py",
    "serving/heads.py": "tests/functional/test_app_callers.py",
    "serving/health.py": "tests/functional/test_app.py",
    "serving/oneshot.py": "tests/functional/test_oneshot.py",
    "serving/overdue.py": "tests/functional/test_stuck_worker.py",
    "serving/requests.py": "tests/functional/test_app_body_mode.py",
    "serving/responses.py": "tests/functional/test_app_errors.py",
    "serving/server.py": "tests/functional/test_app_process.py",
    "serving/wiring.py": "tests/functional/test_serve_settings.py",
    "serving/worker.py": "tests/functional/test_app_callers.py",
    "settings/hmac_keys.py": "tests/functional/test_app_access.py",
    "settings/config.py": "tests/unit/settings/test_environment.py",
    "sinks/bucket_address.py": "tests/unit/sinks/test_address.py",
    "sinks/document.py": "tests/unit/sinks/test_opensearch.py",
    "sinks/postgresql_address.py": "tests/unit/sinks/test_address.py",
    "sinks/postgresql_table.py": "tests/integration/test_postgresql_sink.py",
    "sinks/postgresql_words.py": "tests/unit/sinks/test_postgresql.py",
    "sinks/rows.py": "tests/unit/sinks/test_sqlite_rows.py",
    "sinks/search_address.py": "tests/unit/sinks/test_address.py",
    "sinks/search_server.py": "tests/unit/sinks/test_opensearch.py",
    "sinks/sqlite_address.py": "tests/unit/sinks/test_address.py",
    "sinks/sqlite_words.py": "tests/unit/sinks/test_sqlite.py",
    "sinks/wiring.py": "tests/unit/sinks/test_address.py",
    "sqlite_file/layout.py": "tests/unit/sqlite_file/test_file.py",
    "store/any_key.py": "tests/unit/store/test_s3.py",
    "store/deadline.py": "tests/functional/test_app_deadline.py",
    "store/s3_client.py": "tests/unit/store/test_s3.py",
    "store/watched.py": "tests/functional/test_oneshot_terminal.py",
    "store/whole_answers.py": "tests/unit/store/test_s3.py",
    "testing/calling.py": "tests/unit/test_testing.py",
    "testing/delivering.py": "tests/unit/test_testing.py",
    "testing/lake.py": "tests/unit/test_testing.py",
    "testing/loading.py": "tests/unit/test_testing.py",
}


def has_its_test(module: str) -> bool:
    path = Path(module)
    names = (f"test_{path.stem}.py", f"test_{path.parent.name}_{path.stem}.py")
    return any((UNIT / folder / name).is_file() for folder in path.parents for name in names)


@pytest.mark.parametrize("module", MODULES)
def test_a_module_with_a_rule_has_a_test_file_of_its_name(module: str) -> None:
    assert has_its_test(module) or module in WITHOUT_RULES or module in TESTED_IN


def test_the_lists_name_what_is_there_and_is_needed() -> None:
    listed = {*WITHOUT_RULES, *TESTED_IN}
    assert listed <= set(MODULES)
    assert {module for module in TESTED_IN if has_its_test(module)} == set()
    assert {path for path in TESTED_IN.values() if not (ROOT / path).is_file()} == set()
    assert not set(WITHOUT_RULES) & set(TESTED_IN)
