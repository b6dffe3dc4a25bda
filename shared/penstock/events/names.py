"""The names of S3 events, and what each says about a key.

Sources: MinIO's `internal/event/name.go` (February 2026), the S3 user guide, "Supported event types", and Ceph's
"S3 Bucket Notifications Compatibility".
"""

from enum import StrEnum

from penstock.errors import EventError


class Kind(StrEnum):
    """What an event is about; created, removed and reference lead to the same look at the object."""

    CREATED = "created"
    REMOVED = "removed"
    ACCESSED = "accessed"
    REFERENCE = "reference"
    OTHER = "other"


# Families that functions act on list their names: a new one must be refused, not silently taken or dropped.
ACTED_ON = {
    "ObjectCreated": (
        Kind.CREATED,
        "Put Post Copy CompleteMultipartUpload PutTagging DeleteTagging PutRetention PutLegalHold",
    ),
    "ObjectRemoved": (Kind.REMOVED, "Delete DeleteMarkerCreated NoOP DeleteAllVersions"),
    # AWS sends these instead of ObjectRemoved when a lifecycle rule deletes; MinIO has the second family.
    "LifecycleExpiration": (Kind.REMOVED, "Delete DeleteMarkerCreated"),
    "LifecycleDelMarkerExpiration": (Kind.REMOVED, "Delete"),
    # Ceph's own: what its lifecycle rules and its synchronisation of zones did.
    "ObjectLifecycle": (
        Kind.REMOVED,
        "Expiration:Current Expiration:Noncurrent Expiration:NonCurrent Expiration:DeleteMarker Expiration:AbortMPU "
        "Expiration:AbortMultipartUpload",
    ),
    "ObjectSynced": (Kind.REMOVED, "Delete DeletionMarkerCreated"),
}
# Families that functions ignore are known as a whole: what MinIO adds to them is ignored too.
ACCESSED = "ObjectAccessed"
IGNORED = {ACCESSED: Kind.ACCESSED} | dict.fromkeys(
    (
        "Replication",
        "ObjectRestore",
        "ObjectTransition",
        "Scanner",
        "BucketCreated",
        "BucketRemoved",
        "LifecycleTransition",
        "IntelligentTiering",
        "ObjectAcl",
        "ObjectTagging",
        "ObjectAnnotation",
        "ReducedRedundancyLostObject",
        "TestEvent",
    ),
    Kind.OTHER,
)
_KINDS = {f"s3:{family}:{action}": kind for family, (kind, actions) in ACTED_ON.items() for action in actions.split()}
# Names that are not like the others of their family.
_KINDS |= {
    "s3:ObjectSynced:Create": Kind.CREATED,
    "s3:Replication:Create": Kind.CREATED,  # Ceph's newer name of ObjectSynced
    "s3:Replication:Delete": Kind.REMOVED,
    "s3:ObjectLifecycle:Transition:Current": Kind.OTHER,
    "s3:ObjectLifecycle:Transition:Noncurrent": Kind.OTHER,
    "s3:ObjectLifecycle:Transition:NonCurrent": Kind.OTHER,
    "s3:ObjectRemoved:DeleteObjects": Kind.REMOVED,  # Versity's
}


def full_name(name: str) -> str:
    """The name with `s3:` in front, which AWS leaves off in its records and MinIO does not."""
    return name if name.startswith("s3:") else f"s3:{name}"


def kind_of(name: str) -> Kind:
    """What the event called `name` says, with or without `s3:`.

    Raises `EventError` with the known names when it is none of them.

    >>> kind_of("s3:ObjectCreated:CompleteMultipartUpload").value
    'created'
    """
    name = full_name(name)
    kind = _KINDS.get(name)
    if kind is None:
        kind = IGNORED.get(name[3:].partition(":")[0])
    if kind is None:
        known = ", ".join([*_KINDS, *(f"s3:{family}" for family in IGNORED)])
        raise EventError(f"event name {name[:80]!r} is unknown; known are {known}")
    return kind
