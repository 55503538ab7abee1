"""Here unknown errors are incidents of their own: these tests are about messages, not about storms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from support.scenario_app import NO_STORMS, Phone, Stage

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def stages(stages: Callable[..., Stage]) -> Callable[..., Stage]:
    def make(*phones: Phone, **settings: Any) -> Stage:
        return stages(*phones, **({"rules": NO_STORMS} | settings))

    return make
