"""The tree of errors that firstcause raises on purpose.

FirstcauseError
├── ConfigError            config.toml or the environment is wrong
├── RuleFileError          a rule file is wrong; holds every mistake found, not the first
├── InferenceUnavailableError  durable-rules does not import here
├── IntakeError            a sender's bytes are refused, with the HTTP status that says so
├── StoreError             the database is away, newer than this program, or refuses
│   ├── StoreHeldError      another daemon works on it
│   └── StoreUnavailableError  it, or the inbox beside it, cannot be used now
├── NotFoundError          no such incident, probe, notifier
└── DeliveryError          a notifier could not deliver; knows permanent from retryable

The text of each error says what is wrong, where, and how to fix it. Users read this text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime


class FirstcauseError(Exception):
    """Base of all; its text is shown to the user as it stands."""


class ConfigError(FirstcauseError):
    """The configuration is wrong. The text names the key and the fix."""


@dataclass(frozen=True)
class Mistake:
    """One thing wrong at one place of a rule file. line and column count from 1; 0 is the whole file."""

    path: str
    line: int
    column: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}: {self.text}"


class RuleFileError(FirstcauseError):
    """One or more rule files are wrong. `mistakes` holds all of them in the order of the files."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(map(str, self.mistakes)))


class InferenceUnavailableError(FirstcauseError):
    """The rule engine's C extension is missing or does not load in this Python."""


class IntakeError(FirstcauseError):
    """A sender's input is refused as a whole. status: the HTTP status; 4xx, or 503 where there is no room.

    retry_after: seconds after which the sender may try again, where waiting helps.
    """

    def __init__(self, message: str, status: int = 400, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after


class StoreError(FirstcauseError):
    """The database cannot be used. The text says why and how to fix it."""


class StoreHeldError(StoreError):
    """Another daemon works on the store. sign_of_life: changes while that daemon lives; None if it must."""

    def __init__(self, message: str, *, sign_of_life: object = None) -> None:
        super().__init__(message)
        self.sign_of_life = sign_of_life


class StoreUnavailableError(StoreError):
    """The database, or the inbox beside it, cannot be used now; nothing is wrong with the request."""


class NotFoundError(FirstcauseError):
    """What was asked for is not there; names what is."""


class DeliveryError(FirstcauseError):
    """A notifier could not deliver.

    permanent: trying again cannot help (a wrong number, bad credentials).
    retry_after: how long the receiver asked us to wait: seconds, a time, or the text of an HTTP header
        Retry-After, which is seconds or a date. None if it did not ask.
    maybe_delivered: the receiver may have the message all the same, as its answer did not arrive. The next
        attempt is then marked as a possible repeat.
    receipts: for a notifier with several receivers: receiver -> reference, of those that have the message.
        They are kept, and given to the next attempt as `Notification.receipts`. A receiver is named without
        secrets. If they are not empty, the error is about the other receivers only.
    """

    def __init__(
        self,
        message: str,
        *,
        permanent: bool = False,
        retry_after: float | str | datetime | None = None,
        maybe_delivered: bool = False,
        receipts: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.permanent = permanent
        self.retry_after = retry_after
        self.maybe_delivered = maybe_delivered
        self.receipts = dict(receipts or {})
