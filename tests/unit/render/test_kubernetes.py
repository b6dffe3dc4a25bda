"""Which connections the namespace of plain Kubernetes allows."""

from tests.rendering import SLEEPS, Render


def test_only_what_carries_events_reaches_a_function(deployed: Render) -> None:
    documents = deployed(annotations=SLEEPS)
    rules = documents["NetworkPolicy", "compress"]["spec"]["ingress"]
    [names] = [each["from"][0]["podSelector"] for each in rules if "podSelector" in each["from"][0]]
    assert names["matchExpressions"][0]["values"] == ["penstock-bridge", "kafka-connector"]
    assert documents["NetworkPolicy", "default-deny"]["spec"]["podSelector"] == {}


def test_keda_may_ask_the_bridge(deployed: Render) -> None:
    [rule] = deployed()["NetworkPolicy", "penstock-bridge"]["spec"]["ingress"]
    assert "keda" in rule["from"][0]["namespaceSelector"]["matchExpressions"][0]["values"]


def test_connector_reaches_functions_and_brokers_only(deployed: Render) -> None:
    functions, brokers = deployed(annotations=SLEEPS)["NetworkPolicy", "kafka-connector"]["spec"]["egress"]
    assert functions["to"] == [{"podSelector": {"matchLabels": {"app.kubernetes.io/name": "compress"}}}]
    assert brokers["to"] == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kafka"}}}]
    assert brokers["ports"] == [{"protocol": "TCP", "port": 9093}]
