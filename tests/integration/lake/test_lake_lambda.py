"""Object Lambda in a lake: declared, applied to a real MinIO, read through, and taken away."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from minio.error import S3Error

from tests.components import MinioServer
from tests.integration.lake.conftest import Penstock, put, starts
from tests.integration.test_object_lambda import HANDLER
from tests.served import served

LAKE = """\
name: {name}
sync_events: off
buckets:
  {name}:
targets:
  upper: {{type: lambda, id: {name}, endpoint: "{url}/lambda", auth_token: {{env: FUNCTION_TOKEN}}}}
"""


def read(server: MinioServer, bucket: str) -> bytes:
    query: dict[str, str | list[str] | tuple[str]] = {"lambdaArn": f"arn:minio:s3-object-lambda::{bucket}:webhook"}
    response = server.endpoint.client().get_object(bucket, "a.txt", extra_query_params=query)
    try:
        return response.data
    finally:
        response.close()


def test_declared_lambda_answers_reads_until_it_is_removed(
    server: MinioServer, penstock: Penstock, unique_name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "upper").mkdir()
    (tmp_path / "upper" / "handler.py").write_text(HANDLER)
    settings = {
        "FUNCTION_TOKEN": "of-the-function",
        "SOURCE": f"s3://{unique_name}/*",
        "SINK": "s3://processed/{key}",
        "MINIO_ENDPOINT": server.endpoint.url,
        "MINIO_ACCESS_KEY": server.endpoint.access_key,
        "MINIO_SECRET_KEY": server.endpoint.secret_key,
    }
    client = server.endpoint.client()
    if not client.bucket_exists("processed"):
        client.make_bucket("processed")
    client.make_bucket(unique_name)
    with served(tmp_path / "upper", settings) as function:
        file = tmp_path / "lake.yml"
        file.write_text(LAKE.format(name=unique_name, url=function.url))

        assert penstock("apply", "--file", str(file), FUNCTION_TOKEN="of-the-function") == 0
        put(server, unique_name, "a.txt", b"one")
        assert read(server, unique_name) == b"ONE"

        before = starts(server)
        assert penstock("apply", "--file", str(file), FUNCTION_TOKEN="of-the-function") == 0
        assert starts(server) == before
        capsys.readouterr()
        assert penstock("show", "--json", "--file", str(file), FUNCTION_TOKEN="of-the-function") == 0
        shown = {target["target"]: target for target in json.loads(capsys.readouterr().out)["targets"]}
        assert shown[f"lambda:{unique_name}"]["lake"] == unique_name

        assert penstock("remove", "--file", str(file), FUNCTION_TOKEN="of-the-function") == 0
    with pytest.raises(S3Error) as caught:
        read(server, unique_name)
    assert caught.value.code == "LambdaARNNotFound"
