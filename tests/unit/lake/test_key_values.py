"""What a key may hold, and errors that do not show a secret."""

from __future__ import annotations

import pytest
from penstock.lake import key_values
from penstock.lake.keys import TargetKind, check


@pytest.mark.parametrize(
    ("kind", "key", "value", "expected"),
    [
        ("amqp", "url", "rabbit:hidden", "expected amqp://USER:PASSWORD@HOST:5672/VHOST"),
        ("amqp", "url", "amqp://lake:x@rabbit:hidden/", "expected amqp://"),
        ("mysql", "dsn_string", "lake:hidden@mariadb/events", "expected USER:PASSWORD@tcp(HOST:3306)/DATABASE"),
        ("postgresql", "connection_string", "hidden", "expected host=HOST port=5432"),
    ],
)
def test_a_secret_of_another_form_is_refused_and_not_shown(
    kind: TargetKind, key: str, value: str, expected: str
) -> None:
    found = list(check(kind, {}, {key: value}))

    assert [name for name, text in found if expected in text] == [key]
    assert "hidden" not in str(found)


@pytest.mark.parametrize(
    "value",
    [
        "lake:word@tcp(mariadb:3306)/events",
        "lake:p@ss/w:rd@tcp(mariadb:3306)/events?tls=true",
        "unix(/run/mysqld.sock)/events",
    ],
)
def test_a_dsn_is_taken_as_the_driver_takes_it(value: str) -> None:
    assert key_values.mysql_dsn(value) == value


@pytest.mark.parametrize(
    "value",
    [
        "postgres://lake:word@postgres:5432/events?sslmode=disable",
        "host=postgres port=5432 dbname=events user=lake password=word",
        r"host=postgres password='it\'s \\ two words' dbname=events",
    ],
)
def test_a_connection_string_is_taken_as_the_driver_takes_it(value: str) -> None:
    assert key_values.postgres_connection(value) == value
