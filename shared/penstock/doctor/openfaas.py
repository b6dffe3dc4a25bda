"""What will not work on one OpenFaaS gateway: its edition's rules, and the functions, secrets and topics there."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from penstock.connect.edition import LOCAL, MAX_FUNCTIONS, Edition, annotation_refusal, label_refusal
from penstock.connect.openfaas import Deployed, OpenFaasGateway
from penstock.doctor.finding import Finding, Grade
from penstock.settings.stackfile import SCALE_ANNOTATION, SCALE_LABEL, FunctionSpec

_EDITIONS: Final = {Edition.CE: "the free Community Edition", Edition.PRO: "a paid edition"}
_RETRY: Final = "com.openfaas.retry."


def examine(gateway: OpenFaasGateway, specs: Sequence[FunctionSpec]) -> list[Finding]:
    """What holds there for `specs`, the functions of a stack file; raises `TemporaryError` when it does not answer."""
    provider = gateway.provider()
    deployed = {each.name: each for each in gateway.functions()}
    known_secrets = gateway.secrets()
    name, edition = provider.name, provider.edition
    named = f"{name} {provider.release}".strip()
    if edition is None:
        return [
            Finding(Grade.NOTE, gateway.url, f"{named}: which edition's rules it keeps is not known here"),
            *_functions(deployed, specs, known_secrets, None, may_sleep=True),
        ]
    return [
        Finding(Grade.GOOD, gateway.url, f"{named}: {_EDITIONS[edition]}"),
        *(_free_edition(deployed, specs) if edition is Edition.CE else _paid_edition(specs)),
        *_functions(deployed, specs, known_secrets, edition, may_sleep=edition is Edition.PRO or name == LOCAL),
    ]


def _free_edition(deployed: Mapping[str, Deployed], specs: Sequence[FunctionSpec]) -> Iterator[Finding]:
    count = len(deployed.keys() | {spec.name for spec in specs})
    if count > MAX_FUNCTIONS:
        text = f"{count} functions, deployed and in the stack file: it takes at most {MAX_FUNCTIONS}"
        yield Finding(Grade.PROBLEM, "functions", text, "remove some, or run the rest on another platform")
    if asleep := [spec.name for spec in specs if spec.scaling.get("zero", "").lower() == "true"]:
        text = f"{', '.join(asleep)}: one replica always runs, because replicas are never 0 in this edition"
        yield Finding(Grade.NOTE, "scale to zero", text, "for zero: Knative, or a paid edition with stack.pro.yml")
    if any(name.startswith(_RETRY) for spec in specs for name in spec.annotations):
        text = "the gateway does not retry: it ignores the annotations com.openfaas.retry..."
        yield Finding(Grade.NOTE, "retries", text, "send events by Penstock's connectors or bridge, which retry")
    if specs:
        text = "images must be public: it asks the registry for them without credentials"
        yield Finding(Grade.NOTE, "images", text)


def _paid_edition(specs: Sequence[FunctionSpec]) -> Iterator[Finding]:
    for spec in specs:
        unread = [name for name in spec.scaling if SCALE_LABEL + name not in spec.labels]
        if unread:
            text = f"{', '.join(SCALE_ANNOTATION + name for name in unread)}: it reads labels, not these annotations"
            yield Finding(Grade.NOTE, spec.name, text, "deploy stack.pro.yml, from `penstock render openfaas-pro`")


def _functions(
    deployed: Mapping[str, Deployed],
    specs: Sequence[FunctionSpec],
    secrets: frozenset[str],
    edition: Edition | None,
    *,
    may_sleep: bool,
) -> Iterator[Finding]:
    for spec in specs:
        if edition is Edition.CE:
            for refusal in filter(None, (label_refusal(spec.labels), annotation_refusal(spec.annotations))):
                remedy = f"leave it out, or write {SCALE_ANNOTATION}... as in stack.yml" if "scale" in refusal else ""
                yield Finding(Grade.PROBLEM, spec.name, f"a deployment is refused: {refusal}", remedy)
        if missing := [name for name in spec.secrets if name not in secrets]:
            text = f"a deployment is refused: there is no secret {', '.join(missing)}"
            yield Finding(Grade.PROBLEM, spec.name, text, f"faas-cli secret create {missing[0]}")
        if spec.name not in deployed:
            yield Finding(Grade.NOTE, spec.name, "is in the stack file and not deployed", "faas-cli deploy")
    for name, each in sorted(deployed.items()):
        if each.available_replicas == 0:
            text = "has no replica: it sleeps, or does not become ready" if may_sleep else "does not become ready"
            grade = Grade.NOTE if may_sleep else Grade.PROBLEM
            yield Finding(grade, name, text, f"faas-cli logs {name}")
        elif "topic" not in each.annotations:
            yield Finding(Grade.NOTE, name, "has no annotation `topic`: no connector sends it events")
        else:
            yield Finding(Grade.GOOD, name, f"runs, topic {each.annotations['topic']}")
