"""A notification as a mail."""

from __future__ import annotations

import hashlib
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid
from typing import TYPE_CHECKING

from firstcause import NotifyReason

if TYPE_CHECKING:
    from datetime import datetime

    from firstcause import Notification


def build_message(notification: Notification, sender: str, to: list[str], sent_at: datetime) -> EmailMessage:
    """The mail. What follows a first message answers it, so that a mail program shows them as one thread."""
    message = EmailMessage(policy=SMTP)
    message["From"] = Address("firstcause", addr_spec=sender)
    message["To"] = ", ".join(to)
    message["Subject"] = notification.subject
    message["Date"] = format_datetime(sent_at)
    domain = sender.rpartition("@")[2]
    thread_id = _make_thread_id(notification, domain)
    if notification.reason is NotifyReason.FIRST:
        message["Message-ID"] = thread_id
    else:
        message["Message-ID"] = make_msgid("firstcause", domain)
        message["In-Reply-To"] = message["References"] = thread_id
    message["Auto-Submitted"] = "auto-generated"
    message["X-Firstcause-Incident"] = " ".join(notification.incident_id.split())
    # Quoted-printable passes every server, whatever it makes of eight bits and long lines.
    message.set_content(_replace_unencodable(notification.body), cte="quoted-printable")
    return message


def _make_thread_id(notification: Notification, domain: str) -> str:
    """The id of an incident's first mail, the same after a restart.

    A new store counts its incidents from 1 again, so their number alone would join strangers.
    """
    opened_at = notification.opened_at.timestamp() if notification.opened_at else None
    key = f"{notification.incident_id} {opened_at}"
    return f"<firstcause-{hashlib.sha256(key.encode('utf-8', 'replace')).hexdigest()[:24]}@{domain}>"


def _replace_unencodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
