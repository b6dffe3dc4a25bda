"""stack.yml is read as faas-cli reads it, and a mistake is named with its line."""

from pathlib import Path

import pytest
from penstock.errors import ConfigError
from penstock.settings.config import SourceRule
from penstock.settings.stackfile import FunctionSpec, Resources, load_stack
from penstock.settings.yamlfile import YamlReader, compose, substitute

STACK = """\
version: 1.0
provider:
  name: openfaas
  gateway: ${OPENFAAS_URL:-http://127.0.0.1:8080}
configuration:
  copy: [./shared]
x-ignored: &common
functions:
  compress: &compress
    lang: python3-penstock
    handler: ./functions/compress
    image: ${REGISTRY:-local}/compress:${TAG:-latest}
    environment: &env
      SOURCE: s3://upload/*.csv
      OPTION_LEVEL: 3
      VERBOSE: true
      EMPTY:
    environment_file: [override.yml]
    secrets: [minio-access-key]
    labels:
      com.openfaas.scale.zero: true
      com.openfaas.scale.zero-duration: 90s
    limits: {memory: 128Mi}
    readonly_root_filesystem: true
    build_args: {ADDITIONAL_PACKAGE: gcc}
  again:
    <<: *compress
    environment:
      <<: *env
      OPTION_LEVEL: 1
"""


def write(folder: Path, text: str) -> Path:
    (folder / "functions/compress").mkdir(parents=True, exist_ok=True)
    path = folder / "stack.yml"
    path.write_text(text)
    return path


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_stack(write(folder, text), {})
    return [problem.removeprefix(str(folder / "stack.yml")) for problem in caught.value.problems]


def test_every_field_is_read(tmp_path: Path) -> None:
    (tmp_path / "override.yml").write_text("environment:\n  OPTION_LEVEL: 9\n")
    stack = load_stack(write(tmp_path, STACK.replace("x-ignored: &common\n", "")), {"TAG": "0.1.0", "REGISTRY": ""})

    compress = stack.functions["compress"]
    assert stack.gateway == "http://127.0.0.1:8080"
    assert stack.copy == ("./shared",)
    assert compress.handler == (tmp_path / "functions/compress").resolve()
    assert compress.image == "local/compress:0.1.0"
    assert compress.environment == {"SOURCE": "s3://upload/*.csv", "OPTION_LEVEL": "9", "VERBOSE": "true", "EMPTY": ""}
    assert compress.secrets == ("minio-access-key",)
    assert compress.zero_after_seconds == 90
    assert compress.limits == Resources(memory="128Mi")
    assert compress.requests is None
    assert compress.readonly_root_filesystem
    assert compress.build_args == {"ADDITIONAL_PACKAGE": "gcc"}


def test_yaml_merges_are_followed(tmp_path: Path) -> None:
    text = STACK.replace("x-ignored: &common\n", "").replace("    environment_file: [override.yml]\n", "")

    again = load_stack(write(tmp_path, text), {}).functions["again"]

    assert again.environment["OPTION_LEVEL"] == "1"
    assert again.environment["SOURCE"] == "s3://upload/*.csv"


def test_function_without_the_zero_label_always_runs(tmp_path: Path) -> None:
    stack = load_stack(write(tmp_path, "functions:\n  a: {handler: functions/compress}\n"), {})
    assert stack.functions["a"].zero_after_seconds is None


def test_days_are_refused_in_a_label_that_openfaas_reads(tmp_path: Path) -> None:
    labels = {"com.openfaas.scale.zero": "true", "com.openfaas.scale.zero-duration": "7d"}
    with pytest.raises(ConfigError, match="'7d': expected a duration such as 30s, 15m or 1h30m; write days as hours"):
        _ = FunctionSpec("f", tmp_path, labels=labels).zero_after_seconds


def test_topics_are_read_from_the_annotation(tmp_path: Path) -> None:
    assert FunctionSpec("f", tmp_path, annotations={"topic": "upload, other,"}).topics == ("upload", "other")
    assert FunctionSpec("f", tmp_path).topics == ()


def test_settings_of_a_function_are_read_without_the_store_s(tmp_path: Path) -> None:
    environment = {"SOURCE": "s3://upload/*", "MINIO_ENDPOINT": "http://minio", "THREADS": "2"}
    config = FunctionSpec("resize", tmp_path, environment=environment).config()
    assert (config.function, config.sources, config.threads) == ("resize", (SourceRule("upload"),), 2)
    assert config.store is None
    with pytest.raises(ConfigError, match="THREADS='many'"):
        FunctionSpec("f", tmp_path, environment={"THREADS": "many"}).config()


def test_scale_to_zero_without_duration_uses_openfaas_default(tmp_path: Path) -> None:
    text = "functions:\n  a: {handler: functions/compress, labels: {com.openfaas.scale.zero: 'true'}}\n"
    assert load_stack(write(tmp_path, text), {}).functions["a"].zero_after_seconds == 900


def test_all_problems_come_at_once_with_line_and_remedy(tmp_path: Path) -> None:
    text = """\
functions:
  Bad_Name:
    handler: functions/compress
  a:
    handlr: functions/compress
  b:
    handler: functions/missing
    secrets: minio
    environment: {NESTED: {a: b}}
    labels: {com.openfaas.scale.zero: true, com.openfaas.scale.zero-duration: soon}
    readonly_root_filesystem: maybe
"""
    found = problems(tmp_path, text)

    assert found[0].startswith(":3: functions.Bad_Name: a function's name is")
    assert found[1] == ":5: functions.a.handlr: unknown key; did you mean handler?"
    assert found[2] == ":5: functions.a.handler: missing; name the folder that holds handler.py"
    assert found[3] == ":7: functions.b.handler: no folder functions/missing; paths are relative to stack.yml"
    assert ":9: functions.b.environment.NESTED: expected text" in found[4]
    assert found[5] == ":8: functions.b.secrets: expected a list"
    assert found[6] == ":11: functions.b.readonly_root_filesystem: expected true or false, got 'maybe'"
    assert "functions.b: label com.openfaas.scale.zero-duration: 'soon': expected a duration" in found[7]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "functions: at least one function is needed"),
        ("- a\n", ":1: the stack file: expected keys and values"),
        ("functions: {a: {handler: functions/compress}}\nfunctions: {}\n", ":2: the stack file: 'functions' is given"),
        ("provider: {name: faas}\nfunctions: {a: {handler: functions/compress}}\n", ":1: provider.name: expected"),
        ("functions:\n  a: [\n", ":3: not YAML"),
        ("functions:\n  a: {handler: '${FN!x}'}\n", ": line 2: ${FN!x}: expected ${NAME}"),
        ("functions:\n  a: {handler: functions/compress, environment_file: [no.yml]}\n", "no.yml: No such file"),
    ],
)
def test_mistake_is_named(tmp_path: Path, text: str, expected: str) -> None:
    assert any(expected in problem for problem in problems(tmp_path, text)), problems(tmp_path, text)


def test_missing_file_names_the_option(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yml: No such file or directory; name the stack file with --stack"):
        load_stack(tmp_path / "none.yml", {})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${A}", "one"),
        ("${MISSING}|", "|"),
        ("${MISSING:-two}", "two"),
        ("${EMPTY:-two}", "two"),
        ("${EMPTY-two}|", "|"),
        ("${MISSING-two}", "two"),
        ("${MISSING:=http://x:1/}", "http://x:1/"),
        ("$$ $A $", "$ $A $"),
    ],
)
def test_variables_are_replaced_as_faas_cli_does(text: str, expected: str) -> None:
    assert substitute(text, {"A": "one", "EMPTY": ""}) == expected


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("functions:\n  a:\n    handler: .\n    labels: {<<: yes}\n", ":4: functions.a.labels: <<: expected *NAME"),
        ("? [a, b]\n: 1\nfunctions: {}\n", ":1: the stack file: a key must be text, not a list or a mapping"),
        ("a: " + "[" * 50_000, ": lists and mappings stand within each other too deep to be read"),
        ('functions:\n  a: {handler: "a\\0b"}\n', r":2: functions.a.handler: 'a\x00b': not a path: a NUL character"),
        ("functions:\n  a: {handler: " + "a" * 5000 + "}\n", "aaa': not a path: File name too long"),
        ('functions:\n  a: {handler: ., environment_file: ["\\0"]}\n', r"environment_file: '\x00': not a path"),
        ("functions:\n  a: {handler: ., environment_file: [latin]}\n", "latin: not UTF-8 at byte 3"),
        ("functions:\n  a: {handler: ., environment_file: [deep]}\n", "deep: it is nested too deep to be read"),
    ],
)
def test_what_no_program_can_read_is_a_problem_with_words(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "latin").write_bytes(b"a: \xe9\n")
    (tmp_path / "deep").write_text("[" * 50_000)
    assert problem in "\n".join(problems(tmp_path, text))


def test_mappings_that_merge_each_other_twice_do_not_grow_without_bound(tmp_path: Path) -> None:
    lines = ["a0: &a0 {x: '1', y: '2'}", *(f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}" for n in range(1, 17))]
    path = tmp_path / "stack.yml"
    path.write_text("\n".join([*lines, "labels: {<<: *a16, x: '3'}", ""]))
    reader = YamlReader(path)
    labels = reader.mapping(compose(path, {}, ""), "the file")["labels"]
    assert reader.strings(labels, "labels") == {"x": "3", "y": "2"}
    # Without a bound there would be 131,072 pairs of them.
    assert len(labels.value) == 2


def test_the_other_name_of_a_stack_file_is_taken_where_that_one_is_there(tmp_path: Path) -> None:
    stack = write(tmp_path, "functions:\n  a: {handler: functions/compress}\n")
    other = stack.with_suffix(".yaml")
    stack.rename(other)
    assert load_stack(stack, {}).path == other
    stack.write_text(other.read_text().replace("a:", "b:"))
    assert list(load_stack(stack, {}).functions) == ["b"]
    assert list(load_stack(other, {}).functions) == ["a"]


def test_scaling_is_read_from_annotations_and_from_labels(tmp_path: Path) -> None:
    text = """\
functions:
  a:
    handler: functions/compress
    labels: {com.openfaas.scale.max: "3", com.openfaas.scale.zero: "true"}
    annotations: {penstock.dev/scale.zero-duration: 90s}
"""
    spec = load_stack(write(tmp_path, text), {}).functions["a"]
    assert spec.scaling == {"zero": "true", "zero-duration": "90s", "max": "3"}
    assert spec.zero_after_seconds == 90


@pytest.mark.parametrize(
    ("annotation", "problem"),
    [
        (
            "penstock.dev/scale.max: '4'",
            "label com.openfaas.scale.max is '3' and annotation penstock.dev/scale.max is '4'",
        ),
        (
            "penstock.dev/scale.mox: '4'",
            "annotation penstock.dev/scale.mox is unknown; known: penstock.dev/scale.zero,",
        ),
        (
            "{penstock.dev/scale.zero: 'true', penstock.dev/scale.zero-duration: 7d}",
            "a: annotation penstock.dev/scale.zero-duration: '7d'",
        ),
    ],
)
def test_scaling_that_cannot_be_meant_is_a_problem(tmp_path: Path, annotation: str, problem: str) -> None:
    given = annotation if annotation.startswith("{") else f"{{{annotation}}}"
    text = (
        "functions:\n  a:\n    handler: functions/compress\n"
        f"    labels: {{com.openfaas.scale.max: '3'}}\n    annotations: {given}\n"
    )
    [found] = problems(tmp_path, text)
    assert problem in found
