"""A real Kubernetes cluster with Knative on this machine: kubelet, containerd and runc, without a container engine."""

from tests.components.cluster.machine import cluster_problem
from tests.components.cluster.server import ClusterEndpoint, ClusterServer

__all__ = ["ClusterEndpoint", "ClusterServer", "cluster_problem"]
