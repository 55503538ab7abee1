"""The seed's scenario as data: what the application reports when its Twilio credentials are gone."""

from __future__ import annotations

from typing import Any

TENANTS = ("acme-plumbing", "bright-dental", "cedar-law")
APP_SID, APP_TOKEN = "AC" + "a1" * 16, "0f" * 16
OWN_SID, OWN_TOKEN = "AC" + "b2" * 16, "1e" * 16
APP_NUMBER, OWN_NUMBER, ON_CALL = "+15005550006", "+15005550010", "+15005550020"

_REFUSED_TEXT = "Authenticate: Twilio 20003, accountSid is required"


def env_file(*, has_credentials: bool) -> str:
    """The application's .env, before the deployment and after it."""
    if not has_credentials:
        return "NODE_ENV=production\nPORT=3000\n"
    return (
        "NODE_ENV=production\nPORT=3000\n"
        f"TWILIO_ACCOUNT_SID={APP_SID}\nTWILIO_AUTH_TOKEN={APP_TOKEN}\nTWILIO_PHONE_NUMBER={APP_NUMBER}\n"
    )


def build_storm() -> list[dict[str, Any]]:
    """What the application reports, in order: three tenants first, then forty and more of the same."""
    first = [_build_sms_failure(tenant, 0) for tenant in TENANTS]
    second = [_build_greeting_failure(TENANTS[0]), _build_notification_failure(0)]
    rest: list[dict[str, Any]] = []
    for index in range(1, 15):
        rest += [
            _build_sms_failure(TENANTS[index % 3], index),
            _build_greeting_failure(TENANTS[index % 3]),
            _build_notification_failure(index),
        ]
    return [*first, *second, *rest]


def _build_sms_failure(tenant: str, index: int) -> dict[str, Any]:
    return {
        "code": "SMS_DELIVERY_FAILURE",
        "tenant": tenant,
        "service": "clients-via",
        "message": f"SMS to customer could not be sent: {_REFUSED_TEXT}",
        "details": {"appointment": 4000 + index, "auth_token": APP_TOKEN},
        "source": {"file": "services/smsClient.js", "line": 88, "function": "sendSms"},
        "stack": "Error: Authenticate\n    at sendSms (services/smsClient.js:88:15)",
    }


def _build_greeting_failure(tenant: str) -> dict[str, Any]:
    return {
        "code": "TWILIO_GREETING_FAILURE",
        "tenant": tenant,
        "service": "clients-via",
        "message": f"greeting could not be played: {_REFUSED_TEXT}",
        "source": {"file": "routes/v2twilio.js", "line": 231, "function": "playGreeting"},
    }


def _build_notification_failure(queued: int) -> dict[str, Any]:
    return {
        "code": "NOTIFICATION_SYSTEM_FAILURE",
        "service": "clients-via",
        "message": "admin notification could not be delivered",
        "details": {"queued": queued},
        "source": {
            "file": "services/AdminNotificationService.js",
            "line": 152,
            "function": "sendAlert",
            "query": "notificationlogs.insertOne({...})",
        },
    }
