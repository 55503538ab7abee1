"""The mask that hides secrets, up to date with what holds them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from firstcause.core.privacy.masking import Mask
from firstcause.health import environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from firstcause.config import Settings
    from firstcause.rulebase.live_rules import LiveRules
    from firstcause.rulebase.rulebase import Rulebase


@dataclass
class SecretMasking:
    """Builds the mask from the configuration, the environment, the intake tokens and the plugins' secrets.

    list_plugin_secrets: returns the secrets in plugins' settings.
    """

    settings: Settings
    rules: LiveRules
    list_plugin_secrets: Callable[[], Iterable[str]]
    _cached: tuple[Rulebase, tuple[int, ...] | None, Mask] | None = field(default=None, init=False)

    def get_mask(self) -> Mask:
        """The current mask. It is built again when the rules or the environment file change.

        So a secret that was rotated is masked from then on.
        """
        env_file = environment.locate_env_file(self.settings)
        rulebase, stamp = self.rules.current, environment.read_file_stamp(env_file)
        cached = self._cached
        if cached is None or cached[0] is not rulebase or cached[1] != stamp:
            values = environment.read_secret_values(rulebase.catalog.env_vars(), env_file)
            tokens = (entry.token.get_secret_value() for entry in self.settings.intake.tokens.values())
            secrets = [*values, *tokens, *self.list_plugin_secrets()]
            mask = Mask(secrets, self.settings.privacy.mask_personal_data)
            cached = self._cached = (rulebase, stamp, mask)
        return cached[2]
