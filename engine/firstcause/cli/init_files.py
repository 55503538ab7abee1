"""Templates of the files that `firstcause init` writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from firstcause.errors import ConfigError
from firstcause.resources import shipped_path
from firstcause.rulefiles.schema import format_schema_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_RULES_TEMPLATE = """\
# yaml-language-server: $schema=../schema.json
# Your own errors and rules. `firstcause rules check` lists the mistakes in this file with their places.
# A running daemon reloads this file when you save it. The shipped files show every field.
component: my-service
depends_on: []
catalog:
  - code: MY_SERVICE_UNREACHABLE
    title: My service does not respond
    category: INFRASTRUCTURE
    severity: CRITICAL
    customer_facing: true
    match: ["my-service.*(refused|timed out)"]
    fix:
      config_file: .env
      env_vars: [MY_SERVICE_URL]
      steps: ["Check that the service runs and that MY_SERVICE_URL points to it."]
    reproduce: ["Request the health page of the service."]
    verify: {steps: ["The health page answers 200."]}
    common_causes: ["A deployment that did not come up."]
    impact: {features: [Everything behind my-service], tenants: ALL, revenue: MEDIUM, priority: P1}
rules: []
"""


def write_scaffold(folder: Path) -> Iterator[tuple[Path, bool]]:
    """Write the files that are missing. Yield each path and whether it was written."""
    config = shipped_path("config.toml").read_text(encoding="utf-8")
    own_config = config.replace('# paths = ["shipped"]', 'paths = ["shipped", "rules"]')
    for path, text in (
        (folder / "config.toml", own_config),
        (folder / "rules" / "schema.json", format_schema_text()),
        (folder / "rules" / "site" / "my-service.yaml", _RULES_TEMPLATE),
    ):
        yield path, _write_file(path, text)


def _write_file(path: Path, text: str) -> bool:
    if path.exists():
        return False
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        msg = f"{path} cannot be written: {error.strerror}; choose another folder"
        raise ConfigError(msg) from error
    return True
