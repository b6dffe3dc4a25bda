"""The free edition's rules, as a table: what is deployed, and what it answers.

Source: openfaas/faas-netes, pkg/handlers/validate.go, validate_test.go and deploy.go at commit 662ce9c.
"""

import pytest
from penstock.connect.edition import Edition, annotation_refusal, edition_of, label_refusal

UNAVAILABLE = " not available for Community Edition"
TOO_HIGH = " is set too high for Community Edition"

LABELS = [
    ("com.openfaas.scale.zero", "true", UNAVAILABLE),
    ("com.openfaas.scale.zero", "false", ""),
    ("com.openfaas.scale.zero", "True", ""),
    ("com.openfaas.scale.zero-duration", "15m", UNAVAILABLE),
    ("com.openfaas.scale.zero-duration", "", UNAVAILABLE),
    ("com.openfaas.scale.target", "10", UNAVAILABLE),
    ("com.openfaas.scale.type", "capacity", UNAVAILABLE),
    ("com.openfaas.scale.type", "rps", UNAVAILABLE),
    ("com.openfaas.scale.target-proportion", "0.7", ""),
    ("com.openfaas.scale.max", "5", ""),
    ("com.openfaas.scale.max", "6", TOO_HIGH),
    ("com.openfaas.scale.max", "+6", TOO_HIGH),
    ("com.openfaas.scale.max", "many", ""),
    ("com.openfaas.scale.min", "5", ""),
    ("com.openfaas.scale.min", "20", TOO_HIGH),
    ("com.openfaas.scale.factor", "100", ""),
    ("team", "lake", ""),
]


@pytest.mark.parametrize(("label", "value", "answer"), LABELS)
def test_label(label: str, value: str, answer: str) -> None:
    assert label_refusal({label: value}) == (label + answer if answer else "")


ANNOTATIONS = [
    ({"topic": "upload"}, ""),
    ({"topic": "a,b"}, "the topic annotation may only support one value in the Community Edition"),
    (
        {"eks.amazonaws.com/role-arn": "x"},
        'annotation "eks.amazonaws.com/role-arn" is not supported in the Community Edition',
    ),
    ({"iam.gke.io/account": "x"}, 'annotation "iam.gke.io/account" is not supported in the Community Edition'),
    ({"penstock.dev/scale.zero": "true", "com.openfaas.retry.attempts": "10"}, ""),
]


@pytest.mark.parametrize(("annotations", "answer"), ANNOTATIONS)
def test_annotation(annotations: dict[str, str], answer: str) -> None:
    assert annotation_refusal(annotations) == answer


@pytest.mark.parametrize(
    ("provider", "edition"),
    [
        ({"provider": "faas-netes-ce"}, Edition.CE),
        ({"provider": "faas-netes-operator"}, Edition.PRO),
        ({"provider": "penstock", "edition": "pro"}, Edition.PRO),
        ({"provider": "penstock", "edition": "ce"}, Edition.CE),
        ({"provider": "containerd"}, None),
    ],
)
def test_edition_that_a_provider_tells(provider: dict[str, str], edition: Edition | None) -> None:
    assert edition_of(provider) is edition
