"""CSV files as Parquet, written while they are read. The types stay as they began, or the file is refused."""

import io
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from penstock import Context, Event, Result, UnsupportedInput, option

BLOCK_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Options:
    schema: str = option("", "columns that a file must have, with types: id:int64 city:string")
    group_rows: int = option(100_000, "rows that are kept in memory and written together", ge=1, ceiling=True)


def handle(event: Event[Options], context: Context[Options]) -> Result:
    name = event.name.removesuffix(".csv") + ".parquet"
    return Result(parquet(event), content_type="application/vnd.apache.parquet", name=name)


def parquet(event: Event[Options]) -> Iterator[bytes]:
    types = wanted(event.options.schema)
    out = Written()
    try:
        reader = pyarrow.csv.open_csv(
            event.body,
            read_options=pyarrow.csv.ReadOptions(block_size=BLOCK_BYTES, use_threads=False),
            convert_options=pyarrow.csv.ConvertOptions(column_types=types),
        )
        if types and reader.schema.names != list(types):
            found = " ".join(reader.schema.names)
            raise UnsupportedInput(f"{event.name}: has the columns {found}, and the schema {event.options.schema}")
        with pyarrow.parquet.ParquetWriter(out, reader.schema, compression="zstd") as writer:
            for table in groups(reader, event.options.group_rows):
                writer.write_table(table)
                yield out.take()
    except pa.ArrowInvalid as exc:  # a value of another type, a line with other columns, no line at all
        raise UnsupportedInput(f"{event.name}: {exc}") from exc
    yield out.take()


def wanted(schema: str) -> dict[str, pa.DataType]:
    """The option as names and types."""
    pairs = (text.partition(":") for text in schema.split())
    return {name: pa.type_for_alias(kind) for name, _, kind in pairs}


def groups(reader: pa.RecordBatchReader, rows: int) -> Iterator[pa.Table]:
    """The blocks of the file, joined to tables of about so many rows."""
    kept: list[pa.RecordBatch] = []
    for batch in reader:
        kept.append(batch)
        if sum(each.num_rows for each in kept) >= rows:
            yield pa.Table.from_batches(kept)
            kept = []
    if kept:
        yield pa.Table.from_batches(kept)


class Written(io.RawIOBase):
    """A file that hands out what was written to it, so that no more than one group is kept."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self._parts.append(bytes(data))
        self._size += len(data)
        return len(data)

    def tell(self) -> int:
        return self._size

    def take(self) -> bytes:
        taken, self._parts = b"".join(self._parts), []
        return taken
