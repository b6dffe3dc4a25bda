"""NetworkPolicies as rules of iptables, for a node whose pods are on one bridge.

A pod that a policy selects is isolated in the policy's directions: what no rule allows is dropped (the API's own
words, networking.k8s.io/v1). Answers of an allowed connection pass. The node itself may reach its pods, as the kubelet
must for probes. What a policy says that is not read here is an error, so that no test believes in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

CHAIN = "PENSTOCK-POLICIES"
DROPPED = "PENSTOCK-DROPPED"


@dataclass(frozen=True, slots=True)
class Pod:
    """What a policy can select a pod by, with the numbers of its named ports."""

    namespace: str
    name: str
    address: str
    labels: Mapping[str, str]
    ports: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class _Direction:
    """How a direction is written: in a policy, and in a rule for packets of a pod."""

    key: str
    kind: str
    peers: str
    own: str
    other: str
    mark: str


_DIRECTIONS = (
    _Direction("ingress", "Ingress", "from", "-d", "-s", "0x1"),
    _Direction("egress", "Egress", "to", "-s", "-d", "0x2"),
)


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Tell whether a label selector matches."""
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    for each in selector.get("matchExpressions") or []:
        value, values = labels.get(each["key"]), each.get("values") or []
        held = {
            "In": value in values,
            "NotIn": value not in values,
            "Exists": value is not None,
            "DoesNotExist": value is None,
        }
        if not held[each["operator"]]:
            return False
    return True


def table(
    policies: Sequence[Mapping[str, Any]], pods: Sequence[Pod], namespaces: Mapping[str, Mapping[str, str]]
) -> str:
    """The whole of both chains, as `iptables-restore --noflush` reads it."""
    rules = [
        f"-A {CHAIN} -m conntrack --ctstate ESTABLISHED,RELATED -j RETURN",
        f"-A {CHAIN} -j MARK --set-xmark 0x0/0x3",
    ]
    isolated = []
    for direction in _DIRECTIONS:
        for pod in pods:
            selected = [each for each in policies if _applies(each, direction, pod)]
            for policy in selected:
                rules += _allowed(policy["spec"].get(direction.key) or [], direction, pod, pods, namespaces)
            if selected:
                unmarked = f"-m mark ! --mark {direction.mark}/{direction.mark}"
                isolated.append(f"-A {CHAIN} {direction.own} {pod.address} {unmarked} -j {DROPPED}")
    lines = [*rules, *isolated, f"-A {CHAIN} -j MARK --set-xmark 0x0/0x3", f"-A {DROPPED} -j DROP"]
    return "\n".join(["*filter", f":{CHAIN} - [0:0]", f":{DROPPED} - [0:0]", *lines, "COMMIT", ""])


def _applies(policy: Mapping[str, Any], direction: _Direction, pod: Pod) -> bool:
    spec = policy["spec"]
    kinds = spec.get("policyTypes") or ["Ingress"]
    return (
        policy["metadata"]["namespace"] == pod.namespace
        and direction.kind in kinds
        and selects(spec.get("podSelector") or {}, pod.labels)
    )


def _allowed(
    rules: Sequence[Mapping[str, Any]],
    direction: _Direction,
    pod: Pod,
    pods: Sequence[Pod],
    namespaces: Mapping[str, Mapping[str, str]],
) -> Iterator[str]:
    for rule in rules:
        peers = rule.get(direction.peers)
        addresses = {""} if not peers else {a for peer in peers for a in _peers(peer, pod.namespace, pods, namespaces)}
        for address in sorted(addresses):
            other = f"{direction.other} {address} " if address else ""
            for port in rule.get("ports") or [{}]:
                for ports in _ports(port, direction, pod, address, pods):
                    mark = f"-j MARK --set-xmark {direction.mark}/{direction.mark}"
                    yield f"-A {CHAIN} {direction.own} {pod.address} {other}{ports}{mark}"


def _peers(
    peer: Mapping[str, Any], namespace: str, pods: Sequence[Pod], namespaces: Mapping[str, Mapping[str, str]]
) -> list[str]:
    if "ipBlock" in peer:
        if peer["ipBlock"].get("except"):
            raise NotImplementedError("NetworkPolicy: ipBlock.except is not enforced here")
        return [peer["ipBlock"]["cidr"]]
    if "namespaceSelector" in peer:
        spaces = [name for name, labels in namespaces.items() if selects(peer["namespaceSelector"], labels)]
    else:
        spaces = [namespace]
    selector = peer.get("podSelector") or {}
    return [pod.address for pod in pods if pod.namespace in spaces and selects(selector, pod.labels)]


def _ports(port: Mapping[str, Any], direction: _Direction, pod: Pod, address: str, pods: Sequence[Pod]) -> list[str]:
    if not port:
        return [""]
    protocol = f"-p {port.get('protocol', 'TCP').lower()} "
    number = port.get("port")
    if number is None:
        return [protocol]
    if isinstance(number, str):  # a name, which the pod that is reached gives a number
        reached = [pod] if direction.key == "ingress" else [each for each in pods if each.address == address]
        return [f"{protocol}--dport {each.ports[number]} " for each in reached if number in each.ports]
    last = f":{port['endPort']}" if port.get("endPort") else ""
    return [f"{protocol}--dport {number}{last} "]
