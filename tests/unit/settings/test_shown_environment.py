"""What a page shows of a function's environment: no secret, and no login in an address."""

import pytest
from penstock.settings.every_setting import SETTINGS
from penstock.settings.shown_environment import HIDDEN, shown_environment


@pytest.mark.parametrize("name", [each.name for each in SETTINGS if each.is_secret])
def test_every_secret_of_the_table_is_hidden_where_an_environment_is_shown(name: str) -> None:
    name = name.replace("<NAME>", "OTHER")
    shown = shown_environment({name: "s3cret", f"{name}_FILE": "/run/secret", "SOURCE": "s3://upload/*.csv"})
    assert shown == {name: HIDDEN, f"{name}_FILE": "/run/secret", "SOURCE": "s3://upload/*.csv"}


@pytest.mark.parametrize(
    "name",
    [
        *(
            "ACCESS_KEY_ID",
            "ACCESS_KEY_SECRET",
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            "DB_PASSWORD",
            "DBPASSWORD",
        ),
        *(
            "OPENAI_API_KEY",
            "OPTION_API_KEY",
            "GITHUB_TOKEN",
            "github_token",
            "SMTP_PASS",
            "CLIENT_SECRET",
            "PGPASSWORD",
        ),
        *("OTEL_EXPORTER_OTLP_HEADERS", "KAFKA_SASL_PASSWORD", "SENTRY_DSN", "GOOGLE_CREDENTIALS", "BASIC_AUTH"),
    ],
)
def test_secret_that_no_setting_declares_is_told_by_its_name(name: str) -> None:
    assert shown_environment({name: "s3cret"}) == {name: HIDDEN}


@pytest.mark.parametrize("name", [each.name for each in SETTINGS if not each.is_secret and each.component != "run"])
def test_every_other_setting_of_the_table_is_shown(name: str) -> None:
    assert shown_environment({name: "s3://upload/a@b*.csv 4"}) == {name: "s3://upload/a@b*.csv 4"}


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("opensearch+https://me:s3cret@host:9200/i", "opensearch+https://host:9200/i"),
        ("a http://me:s3cret@one,http://s3cret@two", "a http://one,http://two"),
        (
            "postgresql://host/db?user=me&password=s3cret&sslmode=require",
            f"postgresql://host/db?user=me&password={HIDDEN}&sslmode=require",
        ),
        ("host=db password=s3cret", f"host=db password={HIDDEN}"),
        ("thumb?width=200&fit=cover", "thumb?width=200&fit=cover"),
        ("", ""),
    ],
)
def test_address_is_shown_without_login_and_password(given: str, shown: str) -> None:
    assert shown_environment({"SINK": given}) == {"SINK": shown}


def test_secret_that_is_set_to_nothing_is_shown_as_nothing() -> None:
    assert shown_environment({"FUNCTION_TOKEN": ""}) == {"FUNCTION_TOKEN": ""}
