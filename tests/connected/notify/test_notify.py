"""The notify role on real Kafka, registry, object store and mail server."""

import io
import json
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

import pytest
from minio import Minio

from schemas.events import Action, Alert, Images
from tests.connected.notify.conftest import Notifier, free_port, until
from tests.unit.agents.notify.alerts import HOSTILE_TEXTS, alert

PNG = b"\x89PNG\r\n\x1a\n" + b"pixels"


def mailed(to: str, *more: Action, **changes: Any) -> Alert:
    """A new alert with a mail action."""
    return alert(alert_id=str(uuid4()), actions=(Action("email", {"to": to}), *more), **changes)


def address() -> str:
    """A mail address that nobody else uses."""
    return f"guard-{uuid4().hex[:8]}@example.org"


class Hook:
    """A webhook receiver that can be started late."""

    def __init__(self) -> None:
        self.port = free_port()
        self.bodies: list[dict[str, Any]] = []
        self._server: ThreadingHTTPServer | None = None

    def start(self) -> None:
        """Listen."""
        bodies = self.bodies

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Be silent."""

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Close the door."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()


@pytest.fixture
def hook() -> Iterator[Hook]:
    """A receiver that does not listen yet."""
    made = Hook()
    yield made
    made.stop()


def test_alert_becomes_a_mail_with_its_picture(notifier: Notifier, stack: Any) -> None:
    """The mail has text, HTML and the plate's crop inline; the receipt says delivered."""
    store = Minio(
        endpoint=stack.s3_endpoint.removeprefix("http://"),
        access_key=stack.s3_access_key,
        secret_key=stack.s3_secret_key,
        secure=False,
        region="us-east-1",
    )
    key = f"gate-1/{uuid4()}/plate.png"
    store.put_object(bucket_name=stack.s3_bucket, object_name=key, data=io.BytesIO(PNG), length=len(PNG))
    to = address()
    made = mailed(to, images=Images(plate_url=f"s3://{stack.s3_bucket}/{key}"))
    notifier.put(made)
    [summary] = until("the mail", lambda: notifier.mails(to))
    mail = notifier.mail(summary)
    assert mail["Subject"] == "[high] Stolen vehicles: ABC123 at gate-1"
    assert [(part["ContentType"], part["Size"]) for part in mail["Inline"]] == [("image/png", len(PNG))]
    assert f'src="cid:{mail["Inline"][0]["ContentID"]}"' in mail["HTML"]
    [receipt] = until("the receipt", lambda: notifier.receipts(made))
    assert (receipt.outcome, receipt.recipient, receipt.attempts) == ("delivered", to, 1)
    assert mail["MessageID"].startswith(receipt.notification_id)


@pytest.mark.parametrize("kind", sorted(HOSTILE_TEXTS))
def test_any_text_goes_through(notifier: Notifier, kind: str) -> None:
    """Whatever message and plate say, through Kafka, Avro and SMTP there is one mail to one recipient."""
    to = address()
    text = HOSTILE_TEXTS[kind]
    notifier.put(mailed(to, message=text, plate_text=text[:50]))
    [summary] = until("the mail", lambda: notifier.mails(to))
    assert [recipient["Address"] for recipient in summary["To"]] == [to]
    assert not summary["Bcc"]
    if kind in {"emoji", "rtl"}:
        assert text in notifier.mail(summary)["Text"]


def test_poison_becomes_a_dead_letter(notifier: Notifier) -> None:
    """Bytes that are no alert are on the dead letter topic, whole; the next alert is delivered."""
    poison = b"\x00\x00\x00\x00\x01" + uuid4().bytes
    to = address()
    notifier.put(poison, mailed(to))
    until("the mail behind it", lambda: notifier.mails(to))
    letters = until("the letter", lambda: [letter for letter in notifier.letters() if letter.value == poison])
    assert [(letter.agent, letter.error_type) for letter in letters] == [("notify", "SCHEMA_VALIDATION")]


def test_stale_and_unset_are_recorded(notifier: Notifier) -> None:
    """An old alert and one for an unset variable are not sent; their receipts say why."""
    to = address()
    old, unset = mailed(to, age_s=1000.0), mailed("${ALPR_TEST_NOBODY}")
    notifier.put(old, unset)
    receipts = until("both receipts", lambda: len(notifier.receipts(old, unset)) == 2 and notifier.receipts(old, unset))
    outcome = {receipt.alert_id: (receipt.outcome, receipt.detail) for receipt in receipts}
    assert outcome[old.alert_id][0] == "stale"
    assert outcome[unset.alert_id] == ("failed", "ALPR_TEST_NOBODY is not set")
    assert notifier.mails(to) == []


def test_dead_webhook_does_not_hold_the_mails(notifier: Notifier, hook: Hook) -> None:
    """With a webhook that is not there, every alert's mail arrives; the webhook gets its alerts when it is back."""
    to = address()
    dead = Action("webhook", {"url": f"http://127.0.0.1:{hook.port}/hook"})
    alerts = [mailed(to, dead) for _ in range(10)]
    notifier.put(*alerts)
    until("all mails", lambda: len(notifier.mails(to)) == 10)
    hook.start()
    until("all webhooks", lambda: len(hook.bodies) == 10)
    until("all receipts", lambda: len(notifier.receipts(*alerts)) == 20)
    assert {receipt.outcome for receipt in notifier.receipts(*alerts)} == {"delivered"}
    assert len(notifier.mails(to)) == 10


def test_mail_server_away_and_back(notifier: Notifier, stack: Any) -> None:
    """Alerts that fire while the mail server is away are mailed when it is back, each once."""
    to = address()
    stack.stop("mail")
    notifier.put(*(mailed(to) for _ in range(5)))
    until("a failed try", lambda: notifier.log.read_text(errors="replace").count("notification not delivered") > 0)
    stack.start("mail")
    until("all mails", lambda: len(notifier.mails(to)) >= 5)
    assert Counter(mail["MessageID"] for mail in notifier.mails(to)).most_common(1)[0][1] == 1


def test_kill_and_replay(stack: Any, topics: None, notifier: Notifier, hook: Hook) -> None:
    """After a kill -9 in the middle every alert is delivered; repeats carry their id; a replay sends nothing."""
    to = address()
    waiting = Action("webhook", {"url": f"http://127.0.0.1:{hook.port}/hook"})
    alerts = [mailed(to, waiting, message=f"number {n}") for n in range(40)]
    notifier.put(*alerts[:20])
    until("a few mails", lambda: len(notifier.mails(to)) > 3)
    notifier.kill()
    notifier.put(*alerts[20:])
    notifier.start()
    until("all mails", lambda: len({mail["MessageID"] for mail in notifier.mails(to)}) == 40)
    hook.start()
    until("all webhooks", lambda: len({body["id"] for body in hook.bodies}) == 40)
    mailed_before = len(notifier.mails(to))
    until(
        "the receipts",
        lambda: len({r.notification_id for r in notifier.receipts(*alerts) if r.channel == "email"}) == 40,
    )
    notifier.put(*(replace(again) for again in alerts))
    marker = address()
    notifier.put(*(mailed(marker) for _ in range(40)))
    until("the alerts behind the replay", lambda: len(notifier.mails(marker)) == 40)
    assert len(notifier.mails(to)) == mailed_before
