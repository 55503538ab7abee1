"""Which code is the application's own, and where an error is from."""

from __future__ import annotations

import os
import sys
from functools import lru_cache
from typing import TYPE_CHECKING

from firstcause.client.exception_info import CLIENT_DIR, CapturedException, CodeLocation, to_location

if TYPE_CHECKING:
    from collections.abc import Iterable

_STDLIB_DIR = os.path.dirname(os.__file__) + os.sep  # noqa: PTH120 - compared as text, many times
_SITE_DIRS = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")


def is_in_app(location: CodeLocation, in_app: tuple[str, ...] = ()) -> bool:
    """Neither Python's, nor an installed package's, nor made up at run time; or of a package in in_app."""
    module = location.module if isinstance(location.module, str) else ""
    if any(module == package or module.startswith(f"{package}.") for package in in_app):
        return True
    file = location.file
    if file.startswith((CLIENT_DIR, "<frozen ")) or (file.startswith("<") and module != "__main__"):
        return False
    return not file.startswith(_STDLIB_DIR) and not any(part in file for part in _SITE_DIRS)


def find_innermost_in_app(exception: CapturedException, in_app: tuple[str, ...]) -> CodeLocation | None:
    """The innermost frame of the application's own code, else the innermost of all but ours."""
    in_app_frames = (
        location for location in map(to_location, reversed(exception.frames)) if is_in_app(location, in_app)
    )
    foreign_frames = (
        location
        for location in map(to_location, reversed(exception.frames))
        if not location.file.startswith(CLIENT_DIR)
    )
    return next(in_app_frames, None) or next(foreign_frames, None)


def shorten_path(file: str) -> str:
    """As it is found from the entry of sys.path that it is under, so that it is the same on all machines."""
    return _strip_path_prefix(file, tuple(sys.path))


@lru_cache(maxsize=2048)
def _strip_path_prefix(file: str, path: Iterable[str]) -> str:
    folders = (folder.rstrip(os.sep) + os.sep for folder in path if isinstance(folder, str) and folder)
    longest = max((folder for folder in folders if file.startswith(folder)), key=len, default="")
    return file[len(longest) :]
