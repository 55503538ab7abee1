"""Fields that hold for every error reported within a block: of this thread, or of this asyncio task."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_BOUND_FIELDS: ContextVar[Mapping[str, Any] | None] = ContextVar("firstcause_context", default=None)


def get_bound_fields() -> Mapping[str, Any] | None:
    return _BOUND_FIELDS.get()


@contextmanager
def context(
    *,
    tenant: str | None = None,
    service: str | None = None,
    code: str | None = None,
    details: Mapping[str, Any] | None = None,
    tags: Mapping[str, object] | None = None,
) -> Iterator[None]:
    """Set defaults for all that is reported inside the block; an inner block adds to an outer one."""
    outer = _BOUND_FIELDS.get() or {}
    fields = {"tenant": tenant, "service": service, "code": code}
    inner: dict[str, Any] = {**outer, **{name: value for name, value in fields.items() if value is not None}}
    inner["details"] = {**outer.get("details", {}), **(details or {})}
    inner["tags"] = {**outer.get("tags", {}), **(tags or {})}
    token = _BOUND_FIELDS.set(inner)
    try:
        yield
    finally:
        _BOUND_FIELDS.reset(token)
