"""A Twilio on loopback: accounts, messages and errors as the real API answers them (2010-04-01)."""

from __future__ import annotations

import base64
import json
import threading
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self, cast
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from types import TracebackType

_DOCS = "https://www.twilio.com/docs/errors"


@dataclass(frozen=True)
class Message:
    """An SMS that was accepted."""

    sid: str
    from_: str
    to: str
    body: str


@dataclass(frozen=True)
class Account:
    token: str
    numbers: tuple[str, ...]
    status: str = "active"


@dataclass(frozen=True)
class Refusal:
    """code: Twilio's; status: HTTP's."""

    status: int
    code: int
    text: str


class FakeTwilio:
    """Serves while its `with` block lasts. messages: the SMS taken so far; url: for `base_url`."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self._accounts: dict[str, Account] = {}
        self._refusals: list[Refusal] = []
        self._lock = threading.Lock()
        self._server = _Server(self)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def add_account(self, sid: str, token: str, numbers: list[str], status: str = "active") -> None:
        with self._lock:
            self._accounts[sid] = Account(token, tuple(numbers), status)

    def remove_account(self, sid: str) -> None:
        with self._lock:
            self._accounts.pop(sid, None)

    def fail_next(self, status: int, code: int, text: str) -> None:
        """Answer the next message with this error."""
        with self._lock:
            self._refusals.append(Refusal(status, code, text))

    # What the handler asks

    def account(self, sid: str, login: tuple[str, str] | None) -> Account | Refusal:
        with self._lock:
            found = self._accounts.get(sid)
        if found is None or login != (sid, found.token):
            return Refusal(401, 20003, "Authenticate")
        return found

    def take(self, account: Account, form: dict[str, str]) -> Message | Refusal:
        with self._lock:
            if self._refusals:
                return self._refusals.pop(0)
            for name, code in (("To", 21604), ("Body", 21602), ("From", 21603)):
                if not form.get(name):
                    return Refusal(400, code, f"A '{name}' is required.")
            if form["From"] not in account.numbers:
                return Refusal(400, 21606, f"The 'From' phone number provided ({form['From']}) is not yours.")
            if not form["To"].startswith("+"):
                return Refusal(400, 21211, f"Invalid 'To' Phone Number: {form['To']}")
            sid = f"SM{len(self.messages) + 1:032x}"
            self.messages.append(Message(sid, form["From"], form["To"], form["Body"]))
            return self.messages[-1]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def _twilio(self) -> FakeTwilio:
        return cast("_Server", self.server).twilio

    def do_GET(self) -> None:
        sid = self._sid(".json")
        account = self._twilio.account(sid, self._login())
        if isinstance(account, Refusal):
            self._refuse(account)
        else:
            self._answer(200, {"sid": sid, "status": account.status, "friendly_name": "app", "type": "Full"})

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        fields = parse_qs(self.rfile.read(length).decode())
        sid = self._sid("/Messages.json")
        account = self._twilio.account(sid, self._login())
        taken = (
            account
            if isinstance(account, Refusal)
            else self._twilio.take(account, {name: values[0] for name, values in fields.items()})
        )
        if isinstance(taken, Refusal):
            self._refuse(taken)
        else:
            self._answer(201, _shown(sid, taken))

    def _sid(self, end: str) -> str:
        return urlsplit(self.path).path.removeprefix("/2010-04-01/Accounts/").removesuffix(end)

    def _login(self) -> tuple[str, str] | None:
        scheme, _, coded = self.headers.get("Authorization", "").partition(" ")
        if scheme != "Basic":
            return None
        sid, _, token = base64.b64decode(coded).decode().partition(":")
        return sid, token

    def _refuse(self, refusal: Refusal) -> None:
        self._answer(
            refusal.status,
            {
                "code": refusal.code,
                "message": refusal.text,
                "more_info": f"{_DOCS}/{refusal.code}",
                "status": refusal.status,
            },
        )

    def _answer(self, status: int, value: dict[str, Any]) -> None:
        body = json.dumps(value).encode()
        self.send_response(status, HTTPStatus(status).phrase)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Not to the demo's screen."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, twilio: FakeTwilio) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.twilio = twilio


def _shown(account: str, message: Message) -> dict[str, Any]:
    return {
        "sid": message.sid,
        "account_sid": account,
        "api_version": "2010-04-01",
        "from": message.from_,
        "to": message.to,
        "body": message.body,
        "status": "queued",
        "direction": "outbound-api",
        "num_segments": "1",
        "num_media": "0",
        "date_created": formatdate(usegmt=False),
        "date_updated": formatdate(usegmt=False),
        "date_sent": None,
        "error_code": None,
        "error_message": None,
        "price": None,
        "price_unit": "USD",
        "uri": f"/2010-04-01/Accounts/{account}/Messages/{message.sid}.json",
    }
