"""Which code is the application's own, and where an error is from."""

from __future__ import annotations

import os
import sys
from functools import lru_cache
from typing import TYPE_CHECKING

from firstcause.client.exception_info import OURS, Place, Raised, place

if TYPE_CHECKING:
    from collections.abc import Iterable

_STDLIB = os.path.dirname(os.__file__) + os.sep  # noqa: PTH120 - compared as text, many times
_INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")


def is_own(at: Place, in_app: tuple[str, ...] = ()) -> bool:
    """Neither Python's, nor an installed package's, nor made up at run time; or of a package in in_app."""
    module = at.module if isinstance(at.module, str) else ""
    if any(module == package or module.startswith(f"{package}.") for package in in_app):
        return True
    file = at.file
    if file.startswith((OURS, "<frozen ")) or (file.startswith("<") and module != "__main__"):
        return False
    return not file.startswith(_STDLIB) and not any(part in file for part in _INSTALLED)


def innermost_own(raised: Raised, in_app: tuple[str, ...]) -> Place | None:
    """The innermost frame of the application's own code, else the innermost of all but ours."""
    own = (each for each in map(place, reversed(raised.steps)) if is_own(each, in_app))
    others = (each for each in map(place, reversed(raised.steps)) if not each.file.startswith(OURS))
    return next(own, None) or next(others, None)


def short(file: str) -> str:
    """As it is found from the entry of sys.path that it is under, so that it is the same on all machines."""
    return _short(file, tuple(sys.path))


@lru_cache(maxsize=2048)
def _short(file: str, path: Iterable[str]) -> str:
    folders = (folder.rstrip(os.sep) + os.sep for folder in path if isinstance(folder, str) and folder)
    longest = max((folder for folder in folders if file.startswith(folder)), key=len, default="")
    return file[len(longest) :]
