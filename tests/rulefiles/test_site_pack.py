"""The shipped catalog speaks to everybody; what belongs to one company is a pack that has to be named."""

from __future__ import annotations

import re

from firstcause.resources import shipped_path
from firstcause.rulefiles.load import find_rule_files, load

RULES = shipped_path("rules")
PACK = RULES / "sites" / "ai-receptionist"
_ONE_COMPANY = re.compile(r"\bRender\b|render\.com|receptionist|call sessions?", re.IGNORECASE)


def test_no_shipped_entry_speaks_of_one_company() -> None:
    texts = {path: path.read_text() for path in find_rule_files(RULES)}
    assert len(texts) > 30
    assert [str(path) for path, text in texts.items() if _ONE_COMPANY.search(text)] == []


def test_the_pack_changes_links_and_features_and_nothing_else() -> None:
    general, special = load([RULES]).catalog.entries, load([RULES, PACK]).catalog.entries
    assert general.keys() == special.keys()
    changed = {code for code in general if general[code] != special[code]}
    assert {"REDIS_CONNECTION_ERROR", "TWILIO_API_FAILURE"} <= changed
    for code in changed:
        before, after = general[code], special[code]
        assert (before.component, before.causes, before.match, before.severity) == (
            after.component, after.causes, after.match, after.severity,
        )  # fmt: skip
        assert before.impact.priority == after.impact.priority
    assert special["REDIS_CONNECTION_ERROR"].fix.url == "https://dashboard.render.com/"
