"""What every pod of Penstock says of its security: the Pod Security level `restricted`, as the image's own user.

https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""

from typing import Any, Final

Document = dict[str, Any]

# The image's own user: templates/python3-penstock/Dockerfile and deploy/image/Dockerfile.
USER_ID: Final = 65532


def container_security() -> Document:
    """The security context of a container: no rights, and a root file system that cannot be written."""
    return {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "runAsUser": USER_ID,
        "runAsGroup": USER_ID,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def pod_security() -> Document:
    """The security context of a pod; `fsGroup` lets its user write to its volumes."""
    return {
        "runAsNonRoot": True,
        "runAsUser": USER_ID,
        "runAsGroup": USER_ID,
        "fsGroup": USER_ID,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }
