"""Asks for the subscription, which needs the key and costs no characters."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from dotenv import dotenv_values

from firstcause import Findings, Reading, describe_connection_error, run_with_time_limit

if TYPE_CHECKING:
    from firstcause_elevenlabs import Config

_KEY_VARIABLE = "ELEVENLABS_API_KEY"
_CODES_BY_STATUS = {
    401: "ELEVENLABS_AUTH_FAILED",
    403: "ELEVENLABS_AUTH_FAILED",
    429: "ELEVENLABS_RATE_LIMITED",
}
_UNREACHABLE_CODE = "ELEVENLABS_UNREACHABLE"


def check_subscription(config: Config) -> Reading:
    findings = Findings()
    key = _read_api_key(config)
    if not key:
        findings.down(
            f"{_KEY_VARIABLE} is not set in {Path(config.env_file or '').name}", "ELEVENLABS_AUTH_FAILED"
        )
        return findings.reading("")
    client = httpx.AsyncClient(headers={"xi-api-key": key}, timeout=config.timeout)
    findings.restart()
    try:
        # The client's limits are for each address, read and write; this one is for all of them.
        response = run_with_time_limit(lambda: _ask_subscription(client, config), config.timeout)
    except (httpx.TimeoutException, TimeoutError):
        findings.down(f"no answer within {config.timeout:g} s", _UNREACHABLE_CODE)
        return findings.reading("")
    except httpx.HTTPError as error:
        findings.down(f"not reached: {describe_connection_error(error)}", _UNREACHABLE_CODE)
        return findings.reading("")
    findings.record_latency(config.degraded_ms, _UNREACHABLE_CODE)
    if not response.is_success:
        findings.down(
            _describe_response(response), _CODES_BY_STATUS.get(response.status_code, _UNREACHABLE_CODE)
        )
        return findings.reading("")
    _measure_quota(config, findings, response)
    return findings.reading("the key is good")


async def _ask_subscription(client: httpx.AsyncClient, config: Config) -> httpx.Response:
    async with client:
        return await client.get(f"{config.api_url.rstrip('/')}/v1/user/subscription")


def _read_api_key(config: Config) -> str | None:
    if config.env_file is None:
        return config.api_key.get_secret_value() if config.api_key is not None else None
    path = Path(config.env_file)
    return dotenv_values(path).get(_KEY_VARIABLE) if path.is_file() else None


def _describe_response(response: httpx.Response) -> str:
    """ElevenLabs' own words where it has any: {"detail": {"status": ..., "message": ...}}."""
    try:
        detail: Any = response.json().get("detail")
    except (ValueError, AttributeError):
        detail = None
    if isinstance(detail, dict):
        detail = f"{detail.get('status')}: {detail.get('message')}"
    return f"answered {response.status_code}" + (f", {str(detail)[:300]}" if detail else "")


def _measure_quota(config: Config, findings: Findings, response: httpx.Response) -> None:
    try:
        subscription = response.json()
        used, limit = int(subscription["character_count"]), int(subscription["character_limit"])
        status = str(subscription.get("status", "active"))
    except (ValueError, KeyError, TypeError):
        findings.degraded("the response has no quota")
        return
    findings.measure("characters_left", max(0, limit - used))
    code = "ELEVENLABS_QUOTA_EXCEEDED"
    if limit > 0:
        findings.measure("quota_share", used / limit)
        if used >= limit:
            findings.down(f"all {limit} characters of the month are used", code)
        elif used / limit > config.quota_share:
            findings.degraded(f"{used} of {limit} characters of the month are used", code)
    if status not in {"active", "trialing", "free"}:
        findings.degraded(f"the subscription is {status}", code)
