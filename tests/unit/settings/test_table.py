"""One table of settings: pages, readers and Jobs say the same of each."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path

import pytest
from penstock.delivery.deliverer import Policy
from penstock.jobs.manifest import job_manifest
from penstock.settings import table
from penstock.settings.config import Config, JobSettings, StoreSettings
from penstock.settings.environment import load_config
from penstock.settings.every_setting import SETTINGS
from penstock.settings.setting import Component
from penstock.types import ObjectRef, ObjectState

from tests.paths import ROOT
from tests.settings_pages import PAGES, renewed

# What the shell and the platforms set.
# NO_COLOR, TERM and COMP_LINE are the terminal's; KAFKA_BOOTSTRAP_SERVERS is librdkafka's, as `KAFKA_<PROPERTY>`.
PLATFORM = {
    "COMP_LINE",
    "HOME",
    "KAFKA_BOOTSTRAP_SERVERS",
    "NO_COLOR",
    "OPENFAAS_NAME",
    "K_SERVICE",
    "TERM",
}


@pytest.mark.parametrize(("page", "component"), PAGES)
def test_a_page_has_the_table_as_it_is(page: str, component: Component) -> None:
    text = (ROOT / "docs" / page).read_text()
    assert renewed(text, component) == text, f"docs/{page} is not current; renew it with: make docs-reference"


def test_a_table_is_renewed_where_it_stands() -> None:
    text = (ROOT / "docs" / "settings.md").read_text()
    older = text.replace("the broker's password (secret)", "an older meaning").replace("| `NATS_TOKEN`", "| `OLD`")
    assert older != text
    for page, component in PAGES:
        if page == "settings.md":
            older = renewed(older, component)
    assert older == text


def test_every_component_has_a_table_of_its_own() -> None:
    assert sorted({setting.component for setting in SETTINGS}) == sorted(component for _, component in PAGES)


def test_a_name_stands_once_for_a_program() -> None:
    names = [(setting.component, setting.name) for setting in SETTINGS]
    assert len(set(names)) == len(names)


# What the code reads


def read_names(path: Path) -> Iterator[str]:
    """The environment variables that a module names as text where it reads one."""
    place = {"env.get": 0, "self.env.get": 0, "os.environ.get": 0, "environment.get": 0, "read_secret": 1}
    for node in ast.walk(ast.parse(path.read_text())):
        found: ast.expr | None = None
        if isinstance(node, ast.Call):
            called = re.sub(r"^.*(?=environment\.get$)", "", ast.unparse(node.func))
            found = node.args[place[called]] if called in place else None
        elif isinstance(node, ast.Subscript) and ast.unparse(node.value) in ("env", "os.environ", "self.env"):
            found = node.slice
        if isinstance(found, ast.Constant) and isinstance(found.value, str):
            yield found.value


def test_every_variable_that_is_read_stands_in_the_table() -> None:
    known = {setting.name for setting in SETTINGS} | {f"{setting.name}_FILE" for setting in SETTINGS}
    package = ROOT / "shared" / "penstock"
    read = {name for path in package.rglob("*.py") for name in read_names(path)}
    assert {"KUBECONFIG", "MQTT_URL", "BRIDGE_TOKEN", "JOB_SECRETS"} <= read  # the search finds what it looks for
    assert read - known - PLATFORM == set()


def test_defaults_of_the_values_are_those_of_the_table() -> None:
    assert load_config({}, function="f") == Config("f")
    offloading = load_config({"OFFLOAD_ABOVE_BYTES": "1", "JOB_IMAGE": "i", "SECRETS_DIR": "/none"}, function="f")
    assert offloading.jobs is not None
    assert offloading.jobs == JobSettings("i", secrets=offloading.jobs.secrets)
    assert StoreSettings("e", "a", "s").region == table.MINIO_REGION.default


def test_defaults_of_delivery_are_those_of_the_table() -> None:
    known = {setting.name: setting.default for setting in SETTINGS if setting.component == "delivery"}
    assert {field.name.upper(): field.default for field in fields(Policy)}.items() <= known.items()


def test_a_setting_that_is_set_to_nothing_is_not_set() -> None:
    empty = {setting.name: "" for setting in SETTINGS if "<" not in setting.name}
    assert load_config(empty, function="f") == Config("f")


# Jobs


def test_a_job_gets_the_settings_that_the_table_hands_on() -> None:
    every = {
        "FUNCTION_NAME": "upper",
        "SOURCE": "s3://upload/*",
        "SINK": "opensearch+http://host:9200/docs",
        "ON_SOURCE_REMOVED": "delete",
        "OPTION_WIDTH": "3",
        "RENDITIONS": "thumb?width=2",
        "MINIO_ENDPOINT": "http://minio",
        "MINIO_ACCESS_KEY": "a",
        "MINIO_SECRET_KEY": "s",
        "MINIO_SESSION_TOKEN": "t",
        "MINIO_REGION": "eu-1",
        "STORE_NAME": "lake-1",
        "MINIO_CA_FILE": __file__,
        "SINK_USERNAME": "u",
        "SINK_PASSWORD": "p",
        "SINK_CA": "-----BEGIN CERTIFICATE-----",
        "MAX_INPUT_BYTES": "9",
        "LOG_LEVEL": "DEBUG",
        "K_SINK": "http://broker",
        "PORT": "9",
        "THREADS": "9",
        "OFFLOAD_ABOVE_BYTES": "5",
        "JOB_IMAGE": "i",
        "JOB_SECRETS": "MINIO_ACCESS_KEY=a/a MINIO_SECRET_KEY=b/b MINIO_CA_FILE=c/c"
        " MINIO_SESSION_TOKEN=t/t SINK_USERNAME=u/u SINK_PASSWORD=p/p SINK_CA=s/s",
    }
    config = load_config(every)
    assert config.jobs is not None
    state = ObjectState(ObjectRef("upload", "k"), size=9, etag="e")
    manifest = job_manifest("j", state, config, config.jobs, now=datetime(2026, 1, 1, tzinfo=UTC))
    (container,) = manifest["spec"]["template"]["spec"]["containers"]
    given = {each["name"] for each in container["env"]}
    # A pattern stands for the names that it matches, and what another sink takes is in no Job of this one.
    expected = {setting.name for setting in SETTINGS if setting.in_job} - {table.SINK_OTHER.name}
    assert given == expected - {"OPTION_<NAME>"} | {"OPTION_WIDTH"}
