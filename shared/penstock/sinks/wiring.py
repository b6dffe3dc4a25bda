"""From the SINK setting to a sink, and the refusal of loops that its text alone shows."""

from pathlib import Path

from penstock.errors import ConfigError
from penstock.settings.config import Config
from penstock.sinks import Sink
from penstock.sinks.address import BucketAddress, SearchAddress, SqliteAddress, overlap, parse_sink
from penstock.sinks.bucket import BucketSink
from penstock.store import Store


def make_sink(config: Config, store: Store | None) -> Sink | None:
    """The sink that a function's settings name, or None when they name none; raises `ConfigError`."""
    if problems := contradictions(config, has_store=store is not None):
        raise ConfigError(*problems)
    if not config.sink:
        return None
    address = parse_sink(config.sink)
    if isinstance(address, BucketAddress) and store is not None:
        return BucketSink(
            store,
            address,
            sources=config.sources,
            renditions=config.renditions,
            remove_with_source=config.remove_with_source,
            store_name=config.store_name,
        )
    if isinstance(address, SqliteAddress):
        from penstock.sinks.sqlite import SqliteSink

        return SqliteSink(Path(address.path), config.function)
    assert isinstance(address, SearchAddress)
    from penstock.sinks.opensearch import OpenSearchSink

    return OpenSearchSink(
        address.url,
        address.index,
        username=config.secrets.get("SINK_USERNAME", ""),
        password=config.secrets.get("SINK_PASSWORD", ""),
        ca_file=str(config.store.ca_file) if config.store and config.store.ca_file else None,
    )


def contradictions(config: Config, *, has_store: bool) -> list[str]:
    """What in a function's settings does not go together, although each of them can be read."""
    sink, problems = f"SINK={config.sink!r}", []
    if config.sources and not has_store:
        problems.append("SOURCE is set but MINIO_ENDPOINT is not: give the object store's URL")
    if not config.sink:
        if config.sources:
            problems.append("SOURCE is set but SINK is not: say where results go, for example s3://processed/{key}.gz")
        return problems
    try:
        address = parse_sink(config.sink)
        refuse_loops(config)
    except ConfigError as exc:
        return [*problems, *exc.problems]
    if not isinstance(address, BucketAddress):
        if config.renditions:
            problems.append(f"{sink}: an index keeps one document per object and takes no RENDITIONS")
        return problems
    if config.renditions and not address.has_rendition:
        problems.append(f"{sink}: RENDITIONS are set, so the template needs {{rendition}}")
    if address.has_rendition and not config.renditions:
        problems.append(f"{sink}: has {{rendition}}, but RENDITIONS is not set")
    if not has_store and not config.sources:
        problems.append(f"{sink}: MINIO_ENDPOINT is not set: give the object store's URL")
    return problems


def refuse_loops(config: Config) -> None:
    """Raise `ConfigError` when what this function writes could be its own input."""
    if not config.sink:
        return
    address = parse_sink(config.sink)
    if not isinstance(address, BucketAddress):
        return
    for rule in config.sources:
        outputs = address.outputs_of(rule)
        for source in config.sources:
            if overlap(outputs, source):
                raise ConfigError(
                    f"{config.function}: writes {outputs} from {rule}, which its own source {source} takes in again: "
                    f"an endless loop; use another bucket, prefix or suffix"
                )
