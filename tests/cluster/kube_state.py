"""Two series of kube-state-metrics, of Jobs and CronJobs as the API server has them: GET /metrics on port 8080.

kube-state-metrics cannot be had as a Go module here, so a pod runs this file with the standard library only.
https://github.com/kubernetes/kube-state-metrics/tree/main/docs/metrics/workload says what the series mean.
"""

import json
import ssl
import urllib.request
from collections.abc import Iterator
from datetime import datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_API = "https://kubernetes.default.svc/apis/batch/v1"


def items(kind: str) -> list[dict[str, Any]]:
    headers = {"Authorization": f"Bearer {(_ACCOUNT / 'token').read_text()}"}
    request = urllib.request.Request(f"{_API}/{kind}", headers=headers)
    authority = ssl.create_default_context(cafile=str(_ACCOUNT / "ca.crt"))
    with urllib.request.urlopen(request, context=authority, timeout=10) as answer:
        found: list[dict[str, Any]] = json.load(answer)["items"]
    return found


def lines() -> Iterator[str]:
    yield "# TYPE kube_job_status_failed gauge"
    for job in items("jobs"):
        place, status = job["metadata"], job["status"]
        name = f'namespace="{place["namespace"]}",job_name="{place["name"]}"'
        ends = [each for each in status.get("conditions", []) if each["type"] == "Failed" and each["status"] == "True"]
        for end in ends:
            yield f'kube_job_status_failed{{{name},reason="{end["reason"]}"}} {status.get("failed", 0)}'
        if not ends:
            yield f'kube_job_status_failed{{{name},reason=""}} 0'
    yield "# TYPE kube_cronjob_status_last_successful_time gauge"
    for each in items("cronjobs"):
        if last := each["status"].get("lastSuccessfulTime"):
            name = f'namespace="{each["metadata"]["namespace"]}",cronjob="{each["metadata"]["name"]}"'
            yield f"kube_cronjob_status_last_successful_time{{{name}}} {datetime.fromisoformat(last).timestamp()}"


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = "".join(f"{line}\n" for line in lines()).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    HTTPServer(("", 8080), Answer).serve_forever()
