"""A Twilio on loopback: accounts, messages, calls and errors as the real API answers them (2010-04-01)."""

from __future__ import annotations

import base64
import json
import threading
from contextlib import suppress
from dataclasses import dataclass, replace
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self, cast
from urllib.parse import parse_qs, urlsplit

from firstcause.demo.twilio_shapes import Call, Message, Refusal, is_twiml

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType


@dataclass(frozen=True)
class Account:
    token: str
    numbers: tuple[str, ...]
    status: str = "active"
    balance: str | None = "25.00"


class FakeTwilio:
    """Serves while its `with` block lasts. messages, calls: those taken so far; url: for `base_url`."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.calls: list[Call] = []
        self.release: threading.Event | None = None
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

    def add_account(
        self,
        sid: str,
        token: str,
        numbers: list[str],
        status: str = "active",
        balance: str | None = "25.00",
    ) -> None:
        """balance: in dollars; None for a subaccount, which has none of its own."""
        with self._lock:
            self._accounts[sid] = Account(token, tuple(numbers), status, balance)

    def remove_account(self, sid: str) -> None:
        with self._lock:
            self._accounts.pop(sid, None)

    def fail_next(self, status: int, code: int, text: str, retry_after: str | None = None) -> None:
        """Answer the next message or call with this error."""
        with self._lock:
            self._refusals.append(Refusal(status, code, text, retry_after))

    def hold_answers(self, release: threading.Event) -> None:
        """Take messages and calls from now on, but answer only when `release` is set."""
        self.release = release

    def set_status(self, sid: str, status: str, error_code: int | None = None) -> None:
        """Change what became of a message or a call, as a carrier reports it after a while."""
        with self._lock:
            for index, message in enumerate(self.messages):
                if message.sid == sid:
                    self.messages[index] = replace(message, status=status, error_code=error_code)
            for index, call in enumerate(self.calls):
                if call.sid == sid:
                    self.calls[index] = replace(call, status=status)

    # What the handler asks

    def authenticate(self, sid: str, login: tuple[str, str] | None) -> Account | Refusal:
        with self._lock:
            account = self._accounts.get(sid)
        if account is None or login != (sid, account.token):
            return Refusal(401, 20003, "Authenticate")
        return account

    def accept_message(self, account: Account, form: dict[str, str]) -> Message | Refusal:
        """A message, by Messages.json."""
        with self._lock:
            form = {"From": form.get("MessagingServiceSid", ""), **form}
            required = {"To": 21604, "Body": 21602, "From": 21603}
            if refusal := self._find_refusal(account, form, required, not_owned_code=21606):
                return refusal
            sid = f"SM{len(self.messages) + 1:032x}"
            self.messages.append(Message(sid, form["From"], form["To"], form["Body"]))
            return self.messages[-1]

    def accept_call(self, account: Account, form: dict[str, str]) -> Call | Refusal:
        """A call, by Calls.json."""
        with self._lock:
            required = {"To": 21201, "From": 21213, "Twiml": 21205}
            if refusal := self._find_refusal(account, form, required, not_owned_code=21210):
                return refusal
            if not is_twiml(form["Twiml"]):
                return Refusal(400, 12100, "Document parse failure")
            sid = f"CA{len(self.calls) + 1:032x}"
            self.calls.append(Call(sid, form["From"], form["To"], form["Twiml"]))
            return self.calls[-1]

    def _find_refusal(
        self, account: Account, form: dict[str, str], required: dict[str, int], not_owned_code: int
    ) -> Refusal | None:
        if self._refusals:
            return self._refusals.pop(0)
        for name, code in required.items():
            if not form.get(name):
                return Refusal(400, code, f"A '{name}' is required.")
        if form["From"] not in account.numbers:
            return Refusal(
                400, not_owned_code, f"The 'From' phone number provided ({form['From']}) is not yours."
            )
        if not form["To"].startswith("+"):
            return Refusal(400, 21211, f"Invalid 'To' Phone Number: {form['To']}")
        return None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def _twilio(self) -> FakeTwilio:
        return cast("_Server", self.server).twilio

    def do_GET(self) -> None:
        sid, _, resource = self._parse_resource_path(".json").partition("/")
        account = self._twilio.authenticate(sid, self._parse_login())
        if isinstance(account, Refusal):
            self._send_refusal(account)
        elif not resource:
            self._send_json(
                200, {"sid": sid, "status": account.status, "friendly_name": "app", "type": "Full"}
            )
        elif resource == "Balance" and account.balance is not None:
            self._send_json(200, {"account_sid": sid, "balance": account.balance, "currency": "USD"})
        elif resource.startswith(("Messages", "Calls")):
            self._send_sent(sid, resource)
        elif resource == "IncomingPhoneNumbers":
            requested_numbers = parse_qs(urlsplit(self.path).query).get("PhoneNumber", list(account.numbers))
            owned_numbers = [number for number in account.numbers if number in requested_numbers]
            entries = [
                {"sid": f"PN{index:032x}", "phone_number": number}
                for index, number in enumerate(owned_numbers)
            ]
            self._send_json(200, {"incoming_phone_numbers": entries, "page": 0, "page_size": 50})
        else:
            self._send_refusal(Refusal(404, 20404, f"The requested resource {self.path} was not found"))

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        fields = parse_qs(self.rfile.read(length).decode())
        form = {name: values[0] for name, values in fields.items()}
        sid, _, resource = self._parse_resource_path(".json").partition("/")
        account = self._twilio.authenticate(sid, self._parse_login())
        if isinstance(account, Refusal):
            self._send_refusal(account)
        elif resource == "Messages":
            self._send_created(sid, self._twilio.accept_message(account, form))
        elif resource == "Calls":
            self._send_created(sid, self._twilio.accept_call(account, form))
        else:
            self._send_refusal(Refusal(404, 20404, f"The requested resource {self.path} was not found"))

    def _send_sent(self, account: str, resource: str) -> None:
        """Messages.json: those sent, the latest first; or one message or call by its SID."""
        kind, _, sid = resource.partition("/")
        query = parse_qs(urlsplit(self.path).query)
        sent = self._twilio.messages if kind == "Messages" else self._twilio.calls
        found = [
            each.to_json(account)
            for each in reversed([*sent])
            if (not sid or each.sid == sid)
            and each.to in query.get("To", [each.to])
            and each.from_ in query.get("From", [each.from_])
        ]
        if sid and not found:
            self._send_refusal(Refusal(404, 20404, f"The requested resource {self.path} was not found"))
        else:
            self._send_json(200, found[0] if sid else {kind.lower(): found, "page": 0, "page_size": 50})

    def _send_created(self, account: str, result: Message | Call | Refusal) -> None:
        if self._twilio.release is not None:
            self._twilio.release.wait()
        if isinstance(result, Refusal):
            self._send_refusal(result)
        else:
            self._send_json(201, result.to_json(account))

    def _parse_resource_path(self, suffix: str) -> str:
        return urlsplit(self.path).path.removeprefix("/2010-04-01/Accounts/").removesuffix(suffix)

    def _parse_login(self) -> tuple[str, str] | None:
        scheme, _, encoded = self.headers.get("Authorization", "").partition(" ")
        if scheme != "Basic":
            return None
        sid, _, token = base64.b64decode(encoded).decode().partition(":")
        return sid, token

    def _send_refusal(self, refusal: Refusal) -> None:
        headers = {} if refusal.retry_after is None else {"Retry-After": refusal.retry_after}
        self._send_json(refusal.status, refusal.to_json(), headers)

    def _send_json(
        self, status: int, value: dict[str, Any], headers: Mapping[str, str] | None = None
    ) -> None:
        body = json.dumps(value).encode()
        # A client that did not wait for the answer has hung up.
        with suppress(OSError):
            self.send_response(status, HTTPStatus(status).phrase)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            for name, content in (headers or {}).items():
                self.send_header(name, content)
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Not to the demo's screen."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # A short queue makes the kernel refuse connections when a test sends a hundred requests at once.
    request_queue_size = 128

    def __init__(self, twilio: FakeTwilio) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.twilio = twilio
