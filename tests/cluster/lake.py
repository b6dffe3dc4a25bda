"""The whole lake on the cluster: Knative, MinIO in a pod, and Penstock as docs/deploying-knative.md deploys it."""

from __future__ import annotations

import io
import json
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import urllib3
import yaml
from minio import Minio
from minio.error import S3Error

from tests.cluster.pages import IN_CLUSTER, block_with, left_out, run_script
from tests.components.cluster import ClusterServer, knative
from tests.components.containers import Containers
from tests.components.errors import ComponentError
from tests.components.install import HERE
from tests.components.process import LOOPBACK, free_ports
from tests.functional.test_build_context import STACK, lay_out
from tests.paths import DEPLOY, ROOT
from tests.waiting import Wait

PAGE = "deploying-knative.md"
NAMESPACE = "penstock"
REGISTRY, TAG, NEXT_TAG = "registry.example/team", "0.1.0", "0.1.1"
CONNECTORS_IMAGE = f"{REGISTRY}/penstock:{TAG}"
FUNCTIONS = ("compress", "resize", "index")
BUCKETS = ("upload", "images", "processed")
# How long the last pod stays after its last event, beside what Knative's own window and grace take.
RETENTION = "5s"
# max-scale of compress here: a small machine, and few enough that a burst meets the limit.
COMPRESS_PODS = 3
_ROOT_USER, _ROOT_PASSWORD = "lake-root", "lake-root-secret"
_MANIFESTS = HERE / "cluster" / "manifests"


def image(name: str, tag: str = TAG) -> str:
    """The name of a function's image, as stack.yml makes it of REGISTRY and TAG."""
    return f"{REGISTRY}/penstock-{name}:{tag}"


class ClusterLake:
    """The deployed lake; `folder` has the copy of stack.yml and deploy/ that it was deployed from."""

    page, runner, namespace = PAGE, IN_CLUSTER, NAMESPACE
    # The kinds that an error shows.
    shown = "pods,ksvc,trigger,jobs"
    store_service = "10.96.0.20:80"  # manifests/minio.yaml
    # Volumes on the node's disk and the claims that they are for.
    claims: Mapping[str, str] = {"bridge": "data-penstock-bridge-0", "index": "index-data"}

    def __init__(self, server: ClusterServer, folder: Path) -> None:
        self.server = server
        self.folder = folder
        self.kubectl = server.kubectl
        self.store_port, self._gateway_port = free_ports(2)
        self.settings: Mapping[str, str] = {"KUBECONFIG": str(server.endpoint.kubeconfig)}
        self.took: dict[str, float] = {}
        self._ran: list[str] = []
        self._began = time.monotonic()

    @property
    def store(self) -> Minio:
        """A client of MinIO in its pod, with its root's credentials."""
        return Minio(
            endpoint=f"{LOOPBACK}:{self.store_port}",
            access_key=_ROOT_USER,
            secret_key=_ROOT_PASSWORD,
            secure=False,
            region="us-east-1",
        )

    def deploy(self) -> None:
        """Everything, in the order of the pages."""
        self.install_platform()
        self.write_sources()
        self.make_buckets()
        self.deploy_functions()
        self.declare_notifications(block_with(PAGE, "penstock lake apply"))

    def install_platform(self) -> None:
        """Serving, Eventing, the ingress and MinIO; a page installs these from their projects' releases."""
        server = self.server
        server.import_knative()
        self.lap("images of Knative")
        documents = [*knative.serving(), *knative.eventing()]
        server.apply_documents([each for each in documents if knative.is_definition(each)])
        self.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=120s")
        server.apply_documents([each for each in documents if not knative.is_definition(each)])
        for name in ("ingress.yaml", "minio.yaml"):
            server.apply((_MANIFESTS / name).read_text(encoding="utf-8"))
        self.make_volumes()
        self.lap("manifests of Knative")
        self.import_images()
        self.lap("images of Penstock")
        for namespace in ("minio", "knative-serving", "knative-eventing", "kourier-system"):
            self.kubectl("-n", namespace, "wait", "deployment", "--all", "--for=condition=Available", "--timeout=300s")
        server.relay(self.store_port, self.store_service)
        gateway = self.kubectl("-n", "kourier-system", "get", "service", "gateway", "-o", "jsonpath={.spec.clusterIP}")
        server.relay(self._gateway_port, f"{gateway}:80")
        for name in ("registries-skipping-tag-resolving", "podspec-persistent-volume-claim"):
            self.run(block_with(PAGE, name))
        self.lap("platform ready")

    def make_volumes(self) -> None:
        """A volume on the node's disk for each claim, as nothing makes them here on demand."""
        for name, claim in self.claims.items():
            path = self.server.folder / "volumes" / name
            path.mkdir(parents=True)
            path.chmod(0o777)
            self.server.apply_documents([_volume(name, self.namespace, claim, path)])

    def import_images(self) -> None:
        """Build the images from this checkout and load them, compress also under the name of its next version.

        What is on the node already stays: the two lakes of the tests run the same images.
        """
        if self.server.has_image(CONNECTORS_IMAGE):
            return
        engine = Containers()
        engine.install()
        names = [image(name) for name in FUNCTIONS]
        for name in FUNCTIONS:
            engine.build(image(name), lay_out(STACK.functions[name], self.folder / "build"))
        engine.build(CONNECTORS_IMAGE, ROOT / "shared", file=DEPLOY / "image" / "Dockerfile")
        engine.tag(image("compress"), image("compress", NEXT_TAG))
        archive = self.folder / "images.tar"
        engine.save([*names, image("compress", NEXT_TAG), CONNECTORS_IMAGE], archive)
        self.server.import_archive(archive)
        archive.unlink()

    def make_buckets(self) -> None:
        """The buckets, and the user with the rights that the functions need, by the commands of docs/deploying.md."""
        user = block_with("deploying.md", "mc admin user add")
        lines = [line for line in user.splitlines() if line.startswith(("SECRET_KEY=", "mc admin"))]
        root = f"http://{_ROOT_USER}:{_ROOT_PASSWORD}@{LOOPBACK}:{self.store_port}"
        self.settings = {**self.settings, "MC_HOST_lake": root}
        path = f'PATH="{self.server.programs.mc.parent}:$PATH"'
        self.run("\n".join([path, block_with("deploying.md", "mc mb"), "set -a", *lines]))
        self.lap("buckets")

    def write_sources(self) -> None:
        """stack.yml and deploy/ as committed, but: pods go early, and the index is a SQLite file with a volume."""
        stack = yaml.safe_load((ROOT / "stack.yml").read_text(encoding="utf-8"))
        for function in stack["functions"].values():
            function["annotations"]["penstock.dev/scale.zero-duration"] = RETENTION
        stack["functions"]["compress"]["annotations"]["penstock.dev/scale.max"] = str(COMPRESS_PODS)
        index = stack["functions"]["index"]
        index["environment"]["SINK"] = "sqlite:///data/index.db"
        del index["environment"]["SINK_CA_FILE"]
        index["secrets"] = [*stack["functions"]["compress"]["secrets"]]
        index["annotations"]["penstock.dev/scale.max"] = "1"
        index["annotations"]["penstock.dev/volume"] = "1Gi"
        (self.folder / "stack.yml").write_text(yaml.safe_dump(stack, sort_keys=False), encoding="utf-8")
        shutil.copytree(DEPLOY, self.folder / "deploy")
        for name in ("functions", "shared", "template", "templates"):
            (self.folder / name).symlink_to(ROOT / name)

    def deploy_functions(self) -> None:
        """The blocks of the page."""
        self.run(self.here(block_with(PAGE, "penstock render knative\n")))
        self.run(block_with(PAGE, "export BRIDGE_TOKEN"))
        self.lap("functions and Triggers ready")

    def declare_notifications(self, block: str) -> None:
        """The block of the page."""
        self.settings = {**self.settings, "ROOT_PASSWORD": _ROOT_PASSWORD}
        self.run(self.here(block))
        self.lap("notifications declared")

    def run(self, script: str) -> None:
        """Run a block in the folder; what it exports is there for the next one."""
        self._ran.append(script)
        self.settings = run_script(script, self.folder, self.server.programs.kubernetes, self.settings)

    def left_out(self) -> list[str]:
        """The commands of the page's blocks that the set-up did not run."""
        return left_out(self.page, self.runner, self._ran, self.changes)

    @property
    def changes(self) -> Mapping[str, str]:
        """The overlay that needs no Kafka, the port of this run, and a folder that this MinIO may write to."""
        return {
            "OVERLAY=production": "OVERLAY=minimal",
            f"{LOOPBACK}:9000": f"{LOOPBACK}:{self.store_port}",
            "/export/": "/data/.",
        }

    def here(self, script: str) -> str:
        """A block of the page with what is another here."""
        for text, here in self.changes.items():
            script = script.replace(text, here)
        return script

    def mc(self, *words: str) -> None:
        """Run mc as the store's root; its alias is `lake`."""
        self.run(f"{self.server.programs.mc} {' '.join(words)}")

    def put(self, bucket: str, key: str, data: bytes) -> None:
        self.store.put_object(bucket_name=bucket, object_name=key, data=io.BytesIO(data), length=len(data))

    def get(self, bucket: str, key: str) -> bytes:
        response = self.store.get_object(bucket_name=bucket, object_name=key)
        try:
            return response.read()
        finally:
            response.close()
            response.release_conn()

    def has(self, bucket: str, key: str) -> bool:
        try:
            self.store.stat_object(bucket_name=bucket, object_name=key)
        except S3Error as error:
            if error.code == "NoSuchKey":
                return False
            raise
        return True

    def keys(self, bucket: str, prefix: str = "") -> set[str]:
        listed = self.store.list_objects(bucket_name=bucket, prefix=prefix, recursive=True)
        return {str(each.object_name) for each in listed}

    def ask(self, function: str, path: str) -> str:
        """GET a path of a function through the gateway, which wakes it."""
        host = f"{function}.{NAMESPACE}.svc.cluster.local"
        url = f"http://{LOOPBACK}:{self._gateway_port}{path}"
        with urllib3.PoolManager() as pool:
            answer = pool.request("GET", url, headers={"Host": host}, timeout=120, retries=False)
        return answer.data.decode()

    def pods(self, function: str, component: str = "function") -> list[dict[str, Any]]:
        """The pods of a function that are not being deleted, and those that are."""
        selector = f"app.kubernetes.io/name={function},app.kubernetes.io/component={component}"
        items = json.loads(self.kubectl("-n", self.namespace, "get", "pods", "-l", selector, "-o", "json"))["items"]
        return list(items)

    def is_at_zero(self, function: str) -> bool:
        return not self.pods(function)

    def wait_for_zero(self, function: str) -> None:
        self.wait_until(lambda: self.is_at_zero(function), f"{function} is at zero", 300)

    def wait_until(self, check: Callable[[], bool], what: str, seconds: float = 120) -> None:
        """Poll until the check holds; else an error with the state of the pods."""
        wait = Wait(seconds)
        while not wait.holds(check):
            if wait.is_over():
                state = self.kubectl("get", self.shown, "-n", self.namespace, "-o", "wide", check=False)
                raise ComponentError(f"gave up after {seconds:.0f} s: not {what}\n{state}") from wait.error
            time.sleep(0.1)

    def lap(self, name: str) -> None:
        """Note when a step of the set-up had ended."""
        self.took[name] = time.monotonic() - self._began


def _volume(name: str, namespace: str, claim: str, path: Path) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "claimRef": {"namespace": namespace, "name": claim},
            "hostPath": {"path": str(path)},
        },
    }
