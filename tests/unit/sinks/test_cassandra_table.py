"""What the errors of a Cassandra cluster mean; the clusters themselves: tests/integration/test_cassandra_cluster.py."""

import pytest
from cassandra import AuthenticationFailed, Unauthorized
from cassandra.cluster import NoHostAvailable
from penstock.errors import TemporaryError
from penstock.sinks.address import parse_sink
from penstock.sinks.cassandra_address import CassandraAddress
from penstock.sinks.cassandra_table import CassandraTable


def meaning(exc: Exception) -> str:
    address = parse_sink("cassandra://host/lake/documents")
    assert isinstance(address, CassandraAddress)
    table = CassandraTable(address, username="a", password="b", ca_file=None, timeout_seconds=1)
    found = table.meaning(exc, "upload/a.txt")
    assert isinstance(found, TemporaryError)
    return str(found)


DOWN = "Unable to perform {} of super-user permission: Operation timed out - received only 1 responses."


@pytest.mark.parametrize(
    "exc",
    [
        Unauthorized(DOWN.format("authorization")),
        NoHostAvailable("unable to connect", {"host": AuthenticationFailed(DOWN.format("authentication"))}),
    ],
    ids=["a right", "the log-in"],
)
def test_roles_that_too_few_nodes_can_read_are_not_called_wrong(exc: Exception) -> None:
    said = meaning(exc)
    assert "system_auth" in said
    assert "the role needs" not in said
    assert "check SINK_USERNAME" not in said


def test_a_right_that_is_missing_and_a_wrong_password_are_named() -> None:
    assert "the role needs SELECT and MODIFY" in meaning(Unauthorized("User a has no MODIFY permission on <table x>"))
    failed = AuthenticationFailed("Provided username a and/or password are incorrect")
    assert "check SINK_USERNAME" in meaning(NoHostAvailable("unable to connect", {"host": failed}))
