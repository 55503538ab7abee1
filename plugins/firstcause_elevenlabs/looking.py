"""Asks for the subscription, which needs the key and costs no characters."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from dotenv import dotenv_values

from firstcause import Findings, Reading

if TYPE_CHECKING:
    from firstcause_elevenlabs import Config

_KEY = "ELEVENLABS_API_KEY"
_CODES = {401: "ELEVENLABS_AUTH_FAILED", 403: "ELEVENLABS_AUTH_FAILED", 429: "ELEVENLABS_RATE_LIMITED"}
_UNREACHABLE = "ELEVENLABS_UNREACHABLE"


def look(config: Config) -> Reading:
    found = Findings()
    key = _key(config)
    if not key:
        found.down(f"{_KEY} is not set in {Path(config.env_file or '').name}", "ELEVENLABS_AUTH_FAILED")
        return found.reading("")
    try:
        with httpx.Client(headers={"xi-api-key": key}, timeout=config.timeout) as client:
            found.restart()
            answer = client.get(f"{config.api_url.rstrip('/')}/v1/user/subscription")
    except httpx.HTTPError as error:
        found.down(f"not reached: {type(error).__name__}: {error}", _UNREACHABLE)
        return found.reading("")
    found.answered(config.degraded_ms, _UNREACHABLE)
    if not answer.is_success:
        found.down(_said(answer), _CODES.get(answer.status_code, _UNREACHABLE))
        return found.reading("")
    _quota(config, found, answer)
    return found.reading("the key is good")


def _key(config: Config) -> str | None:
    if config.env_file is None:
        return config.api_key.get_secret_value() if config.api_key is not None else None
    path = Path(config.env_file)
    return dotenv_values(path).get(_KEY) if path.is_file() else None


def _said(answer: httpx.Response) -> str:
    """ElevenLabs' own words where it has any: {"detail": {"status": ..., "message": ...}}."""
    try:
        detail: Any = answer.json().get("detail")
    except (ValueError, AttributeError):
        detail = None
    if isinstance(detail, dict):
        detail = f"{detail.get('status')}: {detail.get('message')}"
    return f"answered {answer.status_code}" + (f", {str(detail)[:300]}" if detail else "")


def _quota(config: Config, found: Findings, answer: httpx.Response) -> None:
    try:
        told = answer.json()
        used, most = int(told["character_count"]), int(told["character_limit"])
        status = str(told.get("status", "active"))
    except (ValueError, KeyError, TypeError):
        found.degraded("the answer tells no quota")
        return
    found.measure("characters_left", max(0, most - used))
    code = "ELEVENLABS_QUOTA_EXCEEDED"
    if most > 0:
        found.measure("quota_share", used / most)
        if used >= most:
            found.down(f"all {most} characters of the month are used", code)
        elif used / most > config.quota_share:
            found.degraded(f"{used} of {most} characters of the month are used", code)
    if status not in {"active", "trialing", "free"}:
        found.degraded(f"the subscription is {status}", code)
