from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from staging import Phone, Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def stage(store_url: str, tmp_path: Path) -> Iterator[Stage]:
    made = Stage(store_url, tmp_path)
    yield made
    made.service.close()


@pytest.fixture
def stages(store_url: str, tmp_path: Path) -> Iterator[Callable[..., Stage]]:
    """Makes stages over one store."""
    made: list[Stage] = []

    def make(*phones: Phone, **settings: Any) -> Stage:
        made.append(Stage(store_url, tmp_path, *phones, **settings))
        return made[-1]

    yield make
    for each in made:
        each.service.close()
