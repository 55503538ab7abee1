"""with watch("CODE"): an exception raised inside is reported and raised again."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from firstcause.client.api import client

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping
    from types import TracebackType

_Function = TypeVar("_Function", bound="Callable[..., Any]")


class watch:  # noqa: N801 - used as a function is
    """Reports what is raised inside a block or a function, and raises it again.

    code: None where the catalog is to find it by the exception's words. Other fields as report() has them.
    These are not errors and not reported: SystemExit, KeyboardInterrupt, a cancelled task.
    """

    def __init__(
        self,
        code: str | None = None,
        message: str | None = None,
        *,
        tenant: str | None = None,
        service: str | None = None,
        severity: str | None = None,
        details: Mapping[str, Any] | None = None,
        tags: Mapping[str, object] | None = None,
    ) -> None:
        self._fields: dict[str, Any] = {
            "code": code,
            "message": message,
            "tenant": tenant,
            "service": service,
            "severity": severity,
            "details": details,
            "tags": tags,
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if isinstance(error, Exception):
            once = self._fields["code"] is None
            client().report(error, once=once, **self._fields)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)

    def __call__(self, function: _Function) -> _Function:
        """As a decorator, of functions, coroutines and generators. TypeError for what it cannot watch."""
        import inspect

        if inspect.isasyncgenfunction(function) or isinstance(function, type):
            msg = f"watch() cannot decorate {function!r}; write `with watch(...):` within it"
            raise TypeError(msg)
        if inspect.iscoroutinefunction(function):
            return cast("_Function", self._wrap_coroutine(function))
        if inspect.isgeneratorfunction(function):
            return cast("_Function", self._wrap_generator(function))

        @functools.wraps(function)
        def watched(*args: Any, **kwargs: Any) -> Any:
            with self:
                return function(*args, **kwargs)

        return cast("_Function", watched)

    def _wrap_coroutine(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        async def watched(*args: Any, **kwargs: Any) -> Any:
            with self:
                return await function(*args, **kwargs)

        return watched

    def _wrap_generator(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def watched(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
            with self:
                return (yield from function(*args, **kwargs))

        return watched
