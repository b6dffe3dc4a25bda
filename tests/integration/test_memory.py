"""A large object takes no more memory than a small one, on a real MinIO server."""

import io
from collections.abc import Iterator

import pytest
from penstock.local.demo.donors import donor_chunks

from tests.components import MinioServer
from tests.served import served

MIB = 1024 * 1024
BLOCK = b"".join(donor_chunks(20_000, seed=1))[: 1 * MIB]


class Repeated(io.RawIOBase):
    """`size` bytes of donors, over and over, without holding them."""

    def __init__(self, size: int) -> None:
        self._left = size
        self._at = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        wanted = min(size if size >= 0 else self._left, self._left)
        parts = []
        while wanted > 0:
            part = BLOCK[self._at : self._at + wanted]
            parts.append(part)
            self._at = (self._at + len(part)) % len(BLOCK)
            wanted -= len(part)
            self._left -= len(part)
        return b"".join(parts)


@pytest.fixture
def bucket(minio: MinioServer, unique_name: str) -> Iterator[str]:
    client = minio.endpoint.client()
    client.make_bucket(unique_name)
    client.make_bucket(f"{unique_name}-out")
    yield unique_name
    for name in (unique_name, f"{unique_name}-out"):
        for found in client.list_objects(name, recursive=True):
            client.remove_object(name, str(found.object_name))
        client.remove_bucket(name)


def peak_bytes(minio: MinioServer, bucket: str, size: int) -> int:
    """The peak memory of a fresh `compress` that handles one object of `size` bytes."""
    key = f"rows-{size}.csv"
    minio.endpoint.client().put_object(bucket, key, Repeated(size), size, part_size=64 * MIB)  # type: ignore[arg-type]
    settings = {
        "SOURCE": f"s3://{bucket}/*.csv",
        "SINK": f"s3://{bucket}-out/{{key}}.gz",
        "MINIO_ENDPOINT": minio.endpoint.url,
        "MINIO_ACCESS_KEY": minio.endpoint.access_key,
        "MINIO_SECRET_KEY": minio.endpoint.secret_key,
    }
    with served("compress", settings) as function:
        status, answer = function.send(bucket, key)
        assert (status, answer["outcome"]) == (200, "processed")
        return function.peak_bytes()


def test_two_gigabytes_take_no_more_memory_than_sixty_four_megabytes(minio: MinioServer, bucket: str) -> None:
    small = peak_bytes(minio, bucket, 64 * MIB)
    large = peak_bytes(minio, bucket, 2048 * MIB)
    print(f"peak memory of the worker: {small / MIB:.0f} MiB for 64 MiB, {large / MIB:.0f} MiB for 2 GiB")
    assert large <= small + 20 * 1000 * 1000
