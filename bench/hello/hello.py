"""The least that Flask and gunicorn can do: what a function's own cost is measured against."""

from flask import Flask, Response, request

app = Flask(__name__)


@app.get("/_/ready")
def ready() -> str:
    return "ok\n"


@app.post("/event")
def hello() -> Response:
    request.get_data(cache=False)
    return Response('{"outcome": "hello"}\n', content_type="application/json")
