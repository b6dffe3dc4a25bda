"""From the SINK setting to a sink; and the contradictions and loops that the settings alone show."""

from penstock.errors import ConfigError
from penstock.settings.config import Config, SourceRule
from penstock.sinks import Sink
from penstock.sinks.address import overlap, parse_sink
from penstock.store import Store


def make_sink(config: Config, store: Store | None) -> Sink | None:
    """The sink that a function's settings name, or None when they name none; raises `ConfigError`."""
    if problems := contradictions(config, has_store=store is not None):
        raise ConfigError(*problems)
    return parse_sink(config.sink).open(config, store) if config.sink else None


def contradictions(config: Config, *, has_store: bool) -> list[str]:
    """Settings of a function that contradict each other, although each of them can be read."""
    problems = []
    if config.sources and not has_store:
        problems.append("SOURCE is set but MINIO_ENDPOINT is not: give the object store's URL")
    if config.store_on_read and not config.sink.startswith("s3://"):
        problems.append("STORE_ON_READ=on needs a bucket as SINK, for example s3://processed/{key}.gz")
    if not config.sink:
        if config.sources:
            problems.append("SOURCE is set but SINK is not: say where results go, for example s3://processed/{key}.gz")
        return problems
    try:
        address = parse_sink(config.sink)
        refuse_loops(config)
    except ConfigError as exc:
        return [*problems, *exc.problems]
    found = address.contradictions(config, has_store=has_store)
    return [*problems, *(f"SINK={config.sink!r}: {problem}" for problem in found)]


def outputs(config: Config) -> tuple[SourceRule, ...]:
    """The objects that a function may write, none when its sink is an index; raises `ConfigError`."""
    return parse_sink(config.sink).outputs(config.sources) if config.sink else ()


def refuse_loops(config: Config) -> None:
    """Raise `ConfigError` when what this function writes could be its own input."""
    if not config.sink:
        return
    address = parse_sink(config.sink)
    for rule in config.sources:
        written = address.outputs_of(rule)
        taken = next((source for source in config.sources if written and overlap(written, source)), None)
        if taken is not None:
            raise ConfigError(
                f"{config.function}: writes {written} from {rule}, which its own source {taken} takes in again: "
                f"an endless loop; use another bucket, prefix or suffix"
            )
