"""The `Finder` of a connector, from flags and environment: it finds out which function wants which topic."""

from collections.abc import Mapping

from penstock.connect import settings, subscriptions
from penstock.connect.openfaas import OpenFaasGateway
from penstock.connect.settings import Flags
from penstock.connect.subscriptions import Finder, Subscriptions
from penstock.errors import ConfigError
from penstock.settings.connector_table import BASIC_AUTH_PASSWORD, BASIC_AUTH_USER, GATEWAY_URL, REDISCOVER_SECONDS
from penstock.settings.secrets import read_secret


def gateway_from(url: str, env: Mapping[str, str], *, namespace: str = "", ca_file: str | None) -> OpenFaasGateway:
    """An OpenFaaS gateway with the login of the environment; raises `ConfigError`."""
    login = (read_secret(env, BASIC_AUTH_USER.name), read_secret(env, BASIC_AUTH_PASSWORD.name))
    return OpenFaasGateway(url, namespace=namespace, login=login, ca_file=ca_file)


def finder_from(flags: Flags, env: Mapping[str, str]) -> Finder:
    """The `Finder` of flags and environment; raises `ConfigError`."""
    ca_file = settings.ca_file_from(flags, env)
    headers = settings.caller_headers(env)
    keys = settings.caller_keys(env)
    gateway = flags.gateway or GATEWAY_URL.value(env)
    if flags.to:
        found = subscriptions.from_pairs(flags.to, ca_file, headers)
    elif flags.stack is not None:
        found = subscriptions.from_stack(flags.stack, env, gateway, ca_file, headers)
    elif gateway:
        client = gateway_from(gateway, env, namespace=flags.namespace, ca_file=ca_file)

        def ask() -> Subscriptions:
            return subscriptions.from_gateway(client, ca_file, headers).signed(keys)

        return Finder(ask, settings.given(flags, env, REDISCOVER_SECONDS))
    else:
        raise ConfigError("nothing to deliver to: give --to TOPIC=URL, --gateway URL or --stack FILE")
    if not found.topics:
        raise ConfigError(f"{flags.stack}: no function has a topic annotation")
    signed = found.signed(keys)
    return Finder(lambda: signed)
