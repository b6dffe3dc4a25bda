"""Compress an object with gzip or zstd, as a stream: memory does not grow with its size."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from penstock import Context, Event, EventError, NothingToDo, Result, option

from .codecs import Codec, gzip_chunks, zstd_chunks
from .signatures import PEEK_BYTES, compressed_kind, encoded_kind

CONTENT_TYPES: Final = {"gzip": "application/gzip", "zstd": "application/zstd"}  # RFC 6713, RFC 8878
SUFFIXES: Final = {"gzip": ".gz", "zstd": ".zst"}
LEVELS: Final = {"igzip": range(4), "zlib-ng": range(1, 10), "zstd": range(1, 20)}

_IGZIP, _ZLIB_NG = Codec("igzip", 3), Codec("zlib-ng", 3)

# Which codec compresses a block, and the next, over and over. Between igzip's best level and zlib-ng's useful ones
# nothing is on offer, so `default` mixes two blocks in seven: README.md has what each setting costs.
PLANS: Final = {
    ("gzip", "fast"): (_IGZIP,),
    ("gzip", "default"): (_IGZIP, _IGZIP, _ZLIB_NG, _IGZIP, _IGZIP, _IGZIP, _ZLIB_NG),
    ("gzip", "small"): (_ZLIB_NG,),
    ("zstd", "fast"): (Codec("zstd", 1),),
    ("zstd", "default"): (Codec("zstd", 3),),
    ("zstd", "small"): (Codec("zstd", 6),),
}

# MinIO takes 2 KB of user metadata in all, and a key of 900 bytes can be longer than that once percent-encoded.
_MAX_ORIGINAL_NAME_BYTES: Final = 512
_READABLE: Final = "!#$&'()*+,/:;=?@[]^`{|}\"<>"  # printable ASCII but % and space


@dataclass(frozen=True)
class Options:
    """The options of compress."""

    format: str = option("gzip", "what to make", choices=("gzip", "zstd"))
    setting: str = option("default", "speed against size", choices=("fast", "default", "small"))
    level: int | None = option(
        None, "a level of the setting's first codec, used alone: igzip 0-3, zlib-ng 1-9, zstd 1-19", ceiling=True
    )
    threads: int = option(1, "cores for one object", ge=1, le=16, ceiling=True)

    def __post_init__(self) -> None:
        library = PLANS[self.format, self.setting][0].library
        levels = LEVELS[library]
        if self.level is not None and self.level not in levels:
            raise EventError(
                f"option level='{self.level}': expected a whole number from {levels[0]} to {levels[-1]}, "
                f"{library}'s levels, for format={self.format} and setting={self.setting}"
            )

    @property
    def plan(self) -> tuple[Codec, ...]:
        """The codecs that take turns."""
        plan = PLANS[self.format, self.setting]
        return plan if self.level is None else (plan[0]._replace(level=self.level),)


def handle(event: Event[Options], context: Context[Options]) -> Result:  # noqa: ARG001 - every handler takes both
    """Return the input compressed, produced while it is read.

    Raises `NothingToDo` when the first bytes say that it is compressed already. The name does not count. The content
    encoding counts only where a format has no signature.
    """
    options = event.options
    kind = compressed_kind(event.body.peek(PEEK_BYTES)) or encoded_kind(event.content_encoding)
    if kind is not None:
        raise NothingToDo(f"{event.name}: already compressed ({kind})")
    if options.format == "zstd":
        chunks = zstd_chunks(event.body, level=options.plan[0].level, threads=options.threads)
    else:
        chunks = gzip_chunks(event.body, options.plan, name=event.name, threads=options.threads)
    return Result(
        chunks,
        content_type=CONTENT_TYPES[options.format],
        metadata={**event.metadata, **_origin(event)},
        name=event.name + target_suffix(options) if event.name else None,
    )


def target_suffix(options: Options) -> str:
    """What `penstock run` appends to the key where no SINK says how the result is called."""
    return SUFFIXES[options.format]


def _origin(event: Event[Options]) -> dict[str, str]:
    """What the input was called and what it was, percent-encoded (RFC 3986): a header carries ASCII only."""
    origin = {"original-content-type": quote(event.content_type, safe=_READABLE + " ")}
    name = quote(event.name, safe=_READABLE)
    if 0 < len(name) <= _MAX_ORIGINAL_NAME_BYTES:
        origin["original-name"] = name
    return origin
