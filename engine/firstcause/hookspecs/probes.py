"""Probes whose library is needed only when they run: shared by ours and any other plugin."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
import shlex
import sys
import threading
from typing import TYPE_CHECKING, Protocol

from firstcause.hookspecs.types import Probe

if TYPE_CHECKING:
    from collections.abc import Callable

    from firstcause.core.reading import Reading

_EXTRA = re.compile(r"(?P<package>[\w.-]+)\[(?P<extra>[\w.-]+)\]")


class Checker(Protocol):
    """An object that checks one component, and may keep a connection from one check to the next."""

    def check(self) -> Reading: ...

    def close(self) -> None: ...


def require_library(module: str, requirement: str) -> None:
    """Raise ModuleNotFoundError, with the command that installs it, unless the module can be imported.

    The module is not imported. Called in a hook, it makes `plugins list` say what to install.

    module: the name to import, as "redis".
    requirement: what pip is given, as "redis>=5", or an extra of an installed package: "firstcause[redis]".
        The message names what the extra stands for, as no registry has a package that came from a checkout.
    """
    if importlib.util.find_spec(module) is None:
        wanted = " ".join(f'"{name}"' for name in _resolve_extra(requirement))
        msg = f"{module} is not installed; run: {shlex.quote(sys.executable)} -m pip install {wanted}"
        raise ModuleNotFoundError(msg, name=module)


def _resolve_extra(requirement: str) -> list[str]:
    """List what an extra of an installed package stands for; the requirement itself if it is unknown."""
    parts = _EXTRA.fullmatch(requirement)
    if parts is None:
        return [requirement]
    try:
        lines = importlib.metadata.requires(parts["package"]) or []
    except importlib.metadata.PackageNotFoundError:
        return [requirement]
    by_extra = [line.partition(";") for line in lines]
    marker = re.compile(rf"""extra == ['"]{re.escape(parts["extra"])}['"]""")
    return [name.strip() for name, _, condition in by_extra if marker.search(condition)] or [requirement]


def lazy_probe(
    name: str,
    make_checker: Callable[[], Checker],
    *,
    component: str,
    code: str,
    interval: float = 60.0,
    timeout: float = 10.0,
) -> Probe:
    """Make a probe that builds its checker at the first check, and keeps it until the program ends.

    So a command that runs no probe imports no library. What make_checker raises counts as DOWN, and the
    next check calls it again. A checker whose check hangs is given up: the next check makes another one, so
    that a stuck connection is not waited for for ever. It is closed when its check returns after all.

    name, component, code, interval, timeout: those of `Probe`.
    """
    opened = _LazyChecker(make_checker)
    return Probe(
        name=name,
        component=component,
        check=opened.check,
        code=code,
        interval=interval,
        timeout=timeout,
        close=opened.close,
    )


class _LazyChecker:
    """Holds the checker. One whose check hangs is given up, as its connection may be stuck."""

    def __init__(self, make_checker: Callable[[], Checker]) -> None:
        self._make_checker = make_checker
        self._lock = threading.Lock()
        self._checker: Checker | None = None
        self._checking = False

    def check(self) -> Reading:
        with self._lock:
            if self._checker is None or self._checking:
                self._checker = self._make_checker()
            self._checking = True
            checker = self._checker
        try:
            return checker.check()
        finally:
            with self._lock:
                is_current = checker is self._checker
                if is_current:
                    self._checking = False
            if not is_current:
                checker.close()

    def close(self) -> None:
        if self._checker is not None:
            self._checker.close()
