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


def letter(notification: Notification, sender: str, to: list[str], at: datetime) -> EmailMessage:
    """The mail. What follows a first message answers it, so that a mail program shows them as one thread."""
    made = EmailMessage(policy=SMTP)
    made["From"] = Address("firstcause", addr_spec=sender)
    made["To"] = ", ".join(to)
    made["Subject"] = notification.subject
    made["Date"] = format_datetime(at)
    domain = sender.rpartition("@")[2]
    thread = _thread(notification, domain)
    if notification.reason is NotifyReason.FIRST:
        made["Message-ID"] = thread
    else:
        made["Message-ID"] = make_msgid("firstcause", domain)
        made["In-Reply-To"] = made["References"] = thread
    made["Auto-Submitted"] = "auto-generated"
    made["X-Firstcause-Incident"] = " ".join(notification.incident_id.split())
    # Quoted-printable passes every server, whatever it makes of eight bits and long lines.
    made.set_content(_encodable(notification.body), cte="quoted-printable")
    return made


def _thread(notification: Notification, domain: str) -> str:
    """The id of an incident's first mail, the same after a restart.

    A new store counts its incidents from 1 again, so their number alone would join strangers.
    """
    began = notification.opened_at.timestamp() if notification.opened_at else None
    key = f"{notification.incident_id} {began}"
    return f"<firstcause-{hashlib.sha256(key.encode('utf-8', 'replace')).hexdigest()[:24]}@{domain}>"


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
