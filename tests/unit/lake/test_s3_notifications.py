"""Rules by S3 alone: a store over HTTP that keeps each bucket's notification document, and lakes with ARNs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from penstock.cli import main
from penstock.commands import lake as command
from penstock.errors import ConfigError
from penstock.lake import apply, plan
from penstock.lake.model import Bucket, DeclaredLake, NotificationTarget, Rule, TargetRef
from penstock.lake.plan import PresentRule
from penstock.lake.s3_notifications import BucketNotifications
from penstock.lake.s3_server import S3Server
from penstock.settings.config import StoreSettings
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

QUEUE = "arn:aws:sqs:eu-central-1:123456789012:uploads"
TOPIC = "arn:aws:sns:eu-central-1:123456789012:uploads"
CODE = "arn:aws:lambda:eu-central-1:123456789012:function:uploads"
RUSTFS = "arn:rustfs:sqs:us-east-1:bridge:webhook"
XMLNS = "http://s3.amazonaws.com/doc/2006-03-01/"
RULE = PresentRule("one", QUEUE, "upload", "", ".csv", ("s3:ObjectCreated:*",))
OTHERS = (
    f'<NotificationConfiguration xmlns="{XMLNS}"><QueueConfiguration><Id>other</Id><Filter><S3Key><FilterRule>'
    "<Name>Prefix</Name><Value>logs/</Value></FilterRule></S3Key></Filter>"
    f"<Queue>{QUEUE}</Queue><Event>s3:ObjectCreated:*</Event></QueueConfiguration>"
    "<EventBridgeConfiguration/></NotificationConfiguration>"
)


class Store:
    """Answers as S3 does about buckets and their notifications; `refusal` is the answer to the `refused` methods."""

    def __init__(self, server: HTTPServer) -> None:
        self.documents: dict[str, str] = {}
        self.refusal: Response | None = None
        self.refused = {"GET", "PUT"}
        self.writes = 0
        self.shown_late = 0
        server.expect_request("/").respond_with_handler(self._list)
        for name in ("upload", "other"):
            server.expect_request(f"/{name}").respond_with_handler(self._bucket)
            server.expect_request(f"/{name}/").respond_with_handler(self._bucket)
        self.settings = StoreSettings(server.url_for("").rstrip("/"), "access", "secret", region="eu-central-1")

    def _list(self, _request: Request) -> Response:
        names = "".join(
            f"<Bucket><Name>{name}</Name><CreationDate>2026-01-01T00:00:00.000Z</CreationDate></Bucket>"
            for name in ("upload", "other")
        )
        return Response(f'<ListAllMyBucketsResult xmlns="{XMLNS}"><Buckets>{names}</Buckets></ListAllMyBucketsResult>')

    def _bucket(self, request: Request) -> Response:
        assert "notification" in request.args
        assert request.headers["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=access/")
        if self.refusal is not None and request.method in self.refused:
            return self.refusal
        name = request.path.strip("/")
        if request.method == "GET" and self.writes and self.shown_late:
            self.shown_late -= 1
            return Response(f'<NotificationConfiguration xmlns="{XMLNS}"/>')
        if request.method == "PUT":
            self.writes += 1
            self.documents[name] = request.get_data(as_text=True)
            return Response()
        return Response(self.documents.get(name, f'<NotificationConfiguration xmlns="{XMLNS}"/>'))

    def elements(self, bucket: str = "upload") -> list[tuple[str, str]]:
        """The kind and the ARN of each configuration that is stored."""
        root = ElementTree.fromstring(self.documents[bucket])
        found = []
        for each in root:
            arns = [part.text or "" for part in each if (part.text or "").startswith("arn:")]
            found.append((each.tag.rpartition("}")[2], "".join(arns)))
        return found


@pytest.fixture
def store(httpserver: HTTPServer) -> Iterator[Store]:
    store = Store(httpserver)
    yield store
    httpserver.check_assertions()


def declared(*arns: str) -> DeclaredLake:
    targets = tuple(NotificationTarget(TargetRef("arn", arn), external=True) for arn in arns)
    rules = tuple(Rule("upload", each.ref, f"{n}/", ".csv") for n, each in enumerate(targets))
    return DeclaredLake("night", (Bucket("upload"),), targets, rules)


@pytest.mark.parametrize(
    ("arn", "element"),
    [
        (QUEUE, "QueueConfiguration"),
        (TOPIC, "TopicConfiguration"),
        (CODE, "CloudFunctionConfiguration"),
        (RUSTFS, "QueueConfiguration"),
    ],
)
def test_rule_stands_where_its_arn_belongs(store: Store, arn: str, element: str) -> None:
    assert [change.action for change in apply(store.settings, declared(arn))] == ["add"]
    assert store.elements() == [(element, arn)]
    assert plan(store.settings, declared(arn)) == []
    assert apply(store.settings, declared(arn)) == []
    assert store.writes == 1


def test_what_others_wrote_stays_as_it_was(store: Store) -> None:
    store.documents["upload"] = OTHERS
    apply(store.settings, declared(TOPIC))
    assert ("EventBridgeConfiguration", "") in store.elements()
    apply(store.settings, DeclaredLake("night", (Bucket("upload"),), declared(TOPIC).targets))
    before, after = ElementTree.fromstring(OTHERS), ElementTree.fromstring(store.documents["upload"])
    assert [ElementTree.tostring(each) for each in after] == [ElementTree.tostring(each) for each in before]


def test_rules_that_show_after_a_while_are_waited_for(store: Store) -> None:
    store.shown_late = 2
    waits: list[float] = []
    BucketNotifications(store.settings, waits.append).change_rules("upload", bool, [RULE])
    assert waits == [1, 1]


def test_store_that_does_not_keep_rules_is_told(store: Store) -> None:
    store.shown_late = 1000
    with pytest.raises(ConfigError, match=r"bucket upload: .*took the rules and does not show them.*penstock watch"):
        BucketNotifications(store.settings, lambda _seconds: None).change_rules("upload", bool, [RULE])


def test_filter_names_with_a_capital_letter_are_read(store: Store) -> None:
    lake = declared(QUEUE)
    apply(store.settings, lake)
    store.documents["upload"] = (
        store.documents["upload"].replace(">prefix<", ">Prefix<").replace(">suffix<", ">Suffix<")
    )
    assert plan(store.settings, lake) == []


@pytest.mark.parametrize(
    ("status", "body"), [(501, "<Error><Code>NotImplemented</Code></Error>"), (405, ""), (501, "")]
)
def test_store_without_notifications_is_told(store: Store, status: int, body: str) -> None:
    store.refusal = Response(body, status=status)
    with pytest.raises(ConfigError, match=r"sets up no notifications by S3.*penstock watch"):
        plan(store.settings, declared(QUEUE))


def test_answer_that_is_no_configuration_is_told(store: Store) -> None:
    store.refusal = Response("<ListBucketResult/>")
    with pytest.raises(ConfigError, match="answers no notification configuration"):
        plan(store.settings, declared(QUEUE))


def test_refused_arn_names_the_bucket_and_the_remedy(store: Store) -> None:
    body = "<Error><Code>InvalidArgument</Code><Message>Unable to validate the destination</Message></Error>"
    store.refusal, store.refused = Response(body, status=400), {"PUT"}
    with pytest.raises(ConfigError, match=r"bucket upload: .*Unable to validate the destination.*check the ARN"):
        apply(store.settings, declared(QUEUE))


def test_target_of_minio_is_refused_through_s3(store: Store) -> None:
    with pytest.raises(ConfigError, match="webhook:bridge: needs MinIO's admin API"):
        S3Server(store.settings).set_target(TargetRef("webhook", "bridge"), {})


LAKE = f"""\
name: night
buckets: {{upload: }}
targets:
  queue: {{arn: "{RUSTFS}"}}
rules:
  - {{bucket: upload, suffix: .csv, target: queue}}
"""


def test_lake_file_with_an_arn_goes_through_the_command(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "lake.yml"
    path.write_text(LAKE)
    monkeypatch.setenv("MINIO_ENDPOINT", store.settings.endpoint)
    monkeypatch.setenv("MINIO_ACCESS_KEY", "access")
    monkeypatch.setenv("MINIO_SECRET_KEY", "secret")
    file = ["--file", str(path)]
    assert main(["lake", "plan", *file]) == command.DIFFERS
    assert main(["lake", "apply", *file]) == 0
    assert main(["lake", "plan", *file]) == 0
    capsys.readouterr()
    assert main(["lake", "show", *file]) == 0
    assert "by S3 alone" in (shown := capsys.readouterr().out)
    assert "(ours)" in shown
    assert main(["lake", "remove", *file]) == 0
    assert store.elements() == []


def test_problems_of_an_arn_are_told(problems: Callable[..., list[str]]) -> None:
    text = LAKE.replace(RUSTFS, "uploads").replace("queue: {", "queue: {type: kafka, external: off, ")
    found = "\n".join(problems(text))
    assert "targets.queue.type" in found
    assert "expected arn:PARTITION:sqs, sns or lambda" in found
    assert "so the target is external" in found
    assert "setting of MinIO" in "\n".join(problems(LAKE + "sync_events: on\n"))


def test_arns_and_targets_of_minio_are_not_mixed(problems: Callable[..., list[str]]) -> None:
    text = LAKE.replace("targets:\n", "targets:\n  ops: {type: webhook, id: ops, external: on}\n")
    assert "declare them in two files" in "\n".join(problems(text))
