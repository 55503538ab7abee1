"""A notification as a mail."""

from __future__ import annotations

import hashlib
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from firstcause import Notification


def build_message(notification: Notification, sender: str, to: list[str], sent_at: datetime) -> EmailMessage:
    """The mail. All mails about an incident name the same thread, so that a mail program shows them together.

    The thread is named after no mail: the first one may have been lost, or sent by another notifier. The
    Message-ID is the same with every try to deliver one notification, so that a mail server or program that
    has the mail drops the repetition.
    """
    message = EmailMessage(policy=SMTP)
    message["From"] = Address("firstcause", addr_spec=sender)
    message["To"] = ", ".join(to)
    message["Subject"] = notification.subject
    message["Date"] = format_datetime(sent_at)
    domain = sender.rpartition("@")[2]
    message["Message-ID"] = _make_id(notification, domain, notification.id)
    message["In-Reply-To"] = message["References"] = _make_id(notification, domain)
    message["Auto-Submitted"] = "auto-generated"
    message["X-Firstcause-Incident"] = " ".join(notification.incident_id.split())
    # Quoted-printable passes every server, whatever it makes of eight bits and long lines.
    message.set_content(_replace_unencodable(notification.body), cte="quoted-printable")
    return message


def _make_id(notification: Notification, domain: str, *parts: str) -> str:
    """An id of an incident's thread, or with more parts of one mail in it; the same after a restart.

    A new store counts its incidents from 1 again, so their number alone would join strangers.
    """
    opened_at = notification.opened_at.timestamp() if notification.opened_at else None
    key = " ".join((notification.incident_id, str(opened_at), *parts))
    return f"<firstcause-{hashlib.sha256(key.encode('utf-8', 'replace')).hexdigest()[:24]}@{domain}>"


def _replace_unencodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
