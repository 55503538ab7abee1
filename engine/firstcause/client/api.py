"""What applications call: one client for the process, made when it is first needed."""

from __future__ import annotations

import logging
import re
import sys
import threading
from typing import TYPE_CHECKING, Any

from firstcause.client.client import Client
from firstcause.client.settings import Settings, resolve_settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from os import PathLike

_CODE_PATTERN = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*")
_CLIENT_LOCK = threading.Lock()
_log = logging.getLogger("firstcause.client")


class _ProcessState:
    client: Client | None = None


def configure(
    url: str | None = None,
    *,
    service: str | None = None,
    tenant: str | None = None,
    token: str | None = None,
    token_file: str | PathLike[str] | None = None,
    environment: str | None = None,
    release: str | None = None,
    in_app: Iterable[str] | None = None,
    spool: str | PathLike[str] | None = None,
    spool_bytes: int | None = None,
    queue_size: int | None = None,
    timeout: float | None = None,
    exit_within: float | None = None,
) -> None:
    """Say where the daemon is and who reports; what is left out comes from FIRSTCAUSE_URL and so on.

    url: "" reports nothing. service, tenant, environment, release: of every event that names none itself.
    in_app: packages that count as the application's own code wherever they are installed. spool: the
    folder for what cannot be sent, "" for none. spool_bytes: the most in it. queue_size: events that may
    wait in memory. timeout: seconds for one answer. exit_within: seconds for sending at the process's end.
    ValueError where a value is wrong.
    """
    new_client = Client(
        resolve_settings(
            url=url,
            service=service,
            tenant=tenant,
            token=token,
            token_file=str(token_file) if token_file is not None else None,
            environment=environment,
            release=release,
            in_app=in_app,
            spool=str(spool) if spool is not None else None,
            spool_bytes=spool_bytes,
            queue_size=queue_size,
            timeout=timeout,
            exit_within=exit_within,
        )
    )
    with _CLIENT_LOCK:
        previous, _ProcessState.client = _ProcessState.client, new_client
    if previous is not None:
        previous.close()
    if new_client.settings.url:
        # What an earlier process left on disk is sent now, not with the next error.
        new_client.start()


def client() -> Client:
    """The process's; by the environment where configure() was not called."""
    current = _ProcessState.client
    if current is None:
        with _CLIENT_LOCK:
            if _ProcessState.client is None:
                _ProcessState.client = Client(_settings_from_environment())
            current = _ProcessState.client
    return current


def _settings_from_environment() -> Settings:
    try:
        return resolve_settings()
    except ValueError as error:
        _log.warning("no errors are reported: FIRSTCAUSE_URL: %s", error)
        return Settings(url="")


def report(
    error: str | BaseException | None = None,
    message: str | None = None,
    *,
    code: str | None = None,
    tenant: str | None = None,
    service: str | None = None,
    severity: str | None = None,
    details: Mapping[str, Any] | None = None,
    tags: Mapping[str, object] | None = None,
    id: str | None = None,  # noqa: A002 - the event's own word
    resolved: bool = False,
) -> str | None:
    """Report an error; returns the event's id at once, None where it could not be taken.

    error: a code such as PAYMENT_FAILED, an exception, or else a message. Within an `except` the exception
    goes along by itself. id: makes a retry harmless. resolved: the error is over. Never raises, never
    waits.
    """
    exception = error if isinstance(error, BaseException) else sys.exception()
    if isinstance(error, str):
        if code is None and _CODE_PATTERN.fullmatch(error):
            code = error
        elif message is None:
            message = error
    return client().report(
        exception,
        code=code,
        message=message,
        tenant=tenant,
        service=service,
        severity=severity,
        details=details,
        tags=tags,
        id=id,
        resolved=resolved,
        once=code is None and message is None,
    )


def flush(timeout: float | None = None) -> bool:
    """Wait until all that was reported is with the daemon, at most so many seconds; False where it is not."""
    return client().flush(timeout)
