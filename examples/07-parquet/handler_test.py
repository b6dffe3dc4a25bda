import io
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet
import pytest
from penstock import UnsupportedInput
from penstock.testing import Lake, run

from .handler import handle

CITIES = b"id,city\n1,Oslo\n2,\xe5\xa4\xa7\xe9\x98\xaa\n"


def table(data: bytes) -> pa.Table:
    return pyarrow.parquet.read_table(io.BytesIO(data))


def test_rows_come_back_with_their_types() -> None:
    made = run(handle, CITIES, name="cities.csv")
    assert table(made.data).to_pydict() == {"id": [1, 2], "city": ["Oslo", "大阪"]}
    assert table(made.data).schema.types == [pa.int64(), pa.string()]
    assert made.name == "cities.parquet"


def test_schema_that_is_asked_for_is_kept() -> None:
    made = run(handle, CITIES, schema="id:string city:string")
    assert table(made.data).to_pydict()["id"] == ["1", "2"]


@pytest.mark.parametrize("schema", ["id:int64", "city:string id:int64", "id:int64 town:string", "id:int64 city:int64"])
def test_other_columns_than_the_schema_are_refused(schema: str) -> None:
    with pytest.raises(UnsupportedInput):
        run(handle, CITIES, schema=schema)


@pytest.mark.parametrize("data", [b"", b"id,city\n1\n", b"id,city\n" + b"1,Oslo\n" * 300_000 + b"x,Oslo\n"])
def test_file_whose_rows_do_not_fit_leaves_no_target(data: bytes) -> None:
    lake = Lake(handle, source="s3://upload/*.csv", sink="s3://processed/{stem}.parquet")
    assert lake.put("cities.csv", data).kind == "refused"
    assert lake.outputs() == {}


def test_memory_stays_flat() -> None:
    def rows() -> Iterator[bytes]:
        yield b"id,city\n"
        for block in range(60):
            yield b"".join(b"%d,a city with a long name\n" % (block * 40_000 + row) for row in range(40_000))

    made = run(handle, rows(), name="long.csv", group_rows=50_000)
    # The whole table would take 80 MiB in memory.
    assert pa.default_memory_pool().max_memory() < 32 * 1024 * 1024
    assert table(made.data).num_rows == 2_400_000
    assert pyarrow.parquet.ParquetFile(io.BytesIO(made.data)).num_row_groups > 30
