"""What Twilio answers with, in the shape of its API (2010-04-01)."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any
from xml.etree import ElementTree as ET

_DOCS_URL = "https://www.twilio.com/docs/errors"


@dataclass(frozen=True)
class Message:
    """An SMS that was accepted. error_code: why a carrier did not deliver it, None if none is known."""

    sid: str
    from_: str
    to: str
    body: str
    status: str = "queued"
    error_code: int | None = None
    created_at: float = field(default_factory=time.time)

    def to_json(self, account: str) -> dict[str, Any]:
        return {
            "sid": self.sid,
            "account_sid": account,
            "api_version": "2010-04-01",
            "from": self.from_,
            "to": self.to,
            "body": self.body,
            "status": self.status,
            "direction": "outbound-api",
            "num_segments": "1",
            "num_media": "0",
            "date_created": formatdate(self.created_at, usegmt=False),
            "date_updated": formatdate(usegmt=False),
            "date_sent": None,
            "error_code": self.error_code,
            "error_message": None,
            "price": None,
            "price_unit": "USD",
            "uri": f"/2010-04-01/Accounts/{account}/Messages/{self.sid}.json",
        }


@dataclass(frozen=True)
class Call:
    """A call that was accepted. twiml: what it does once somebody answers."""

    sid: str
    from_: str
    to: str
    twiml: str
    status: str = "queued"

    def to_json(self, account: str) -> dict[str, Any]:
        path = f"/2010-04-01/Accounts/{account}/Calls/{self.sid}"
        now = formatdate(usegmt=False)
        return {
            "sid": self.sid,
            "account_sid": account,
            "api_version": "2010-04-01",
            "from": self.from_,
            "from_formatted": self.from_,
            "to": self.to,
            "to_formatted": self.to,
            "status": self.status,
            "direction": "outbound-api",
            "answered_by": None,
            "start_time": None,
            "end_time": None,
            "duration": None,
            "queue_time": "0",
            "date_created": now,
            "date_updated": now,
            "parent_call_sid": None,
            "phone_number_sid": None,
            "group_sid": None,
            "trunk_sid": None,
            "caller_name": None,
            "forwarded_from": None,
            "annotation": None,
            "price": None,
            "price_unit": "USD",
            "uri": f"{path}.json",
            "subresource_uris": {"events": f"{path}/Events.json", "recordings": f"{path}/Recordings.json"},
        }


@dataclass(frozen=True)
class Refusal:
    """code: Twilio's; status: HTTP's. retry_after: the value of the header, None for no header."""

    status: int
    code: int
    text: str
    retry_after: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "message": self.text,
            "more_info": f"{_DOCS_URL}/{self.code}",
            "status": self.status,
        }


def is_twiml(document: str) -> bool:
    try:
        return ET.fromstring(document).tag == "Response"  # noqa: S314 - our own, from loopback
    except ET.ParseError:
        return False
