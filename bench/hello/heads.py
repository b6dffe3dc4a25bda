"""The hello, with the two HEADs that the shortest way through a function has: of the target and of the source."""

import json
import os
from datetime import timedelta

import obstore
from flask import Flask, Response, request
from obstore.store import S3Store

app = Flask(__name__)


def connect(bucket: str) -> S3Store:
    return S3Store(
        bucket,
        endpoint=os.environ["MINIO_ENDPOINT"],
        access_key_id=os.environ["MINIO_ACCESS_KEY"],
        secret_access_key=os.environ["MINIO_SECRET_KEY"],
        region="us-east-1",
        virtual_hosted_style_request=False,
        client_options={"allow_http": True, "timeout": timedelta(minutes=5)},
    )


upload, processed = connect("upload"), connect("processed")


@app.get("/_/ready")
def ready() -> str:
    return "ok\n"


@app.post("/event")
def heads() -> Response:
    key = json.loads(request.get_data(cache=False))["key"]
    obstore.head(processed, f"{key}.gz")
    obstore.head(upload, key)
    return Response('{"outcome": "hello"}\n', content_type="application/json")
