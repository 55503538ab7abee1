"""The words of the project: no words to avoid, functions are verb and object, docs name real files."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = ("engine", "plugins", "docs", "rules")
FILES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "config.toml")
SUFFIXES = {".py", ".md", ".yaml", ".toml", ".html", ".js", ".css"}
WORDS_TO_AVOID = re.compile(
    r"\b(?:mend(?:s|ed|ing)?|anew|whoever|lately|of late|(?<!there )is no (?!longer|more)"
    r"|(?:is|are|was|were) told|was said|heed(?:s|ed)?|besides|in vain|goes on)\b",
    re.IGNORECASE,
)
MAX_ONE_WORD_SHARE = 0.02
"""Share of private functions with a name of one word, such as `_said`."""


def _list_files() -> list[Path]:
    files = [path for name in FOLDERS for path in (ROOT / name).rglob("*")]
    files += [ROOT / name for name in FILES]
    return sorted(path for path in files if path.suffix in SUFFIXES and "vendor" not in path.parts)


def find_words_to_avoid() -> dict[str, list[str]]:
    """Return file -> "line: word" for all files."""
    found = {
        str(path.relative_to(ROOT)): [
            f"{number}: {match[0]}"
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
            for match in WORDS_TO_AVOID.finditer(line)
        ]
        for path in _list_files()
    }
    return {name: places for name, places in found.items() if places}


def test_words_to_avoid() -> None:
    found = find_words_to_avoid()
    assert found == {}


def test_private_functions_are_verb_and_object() -> None:
    names = [
        node.name
        for path in _list_files()
        if path.suffix == ".py"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and re.match(r"_[a-z]", node.name)
    ]
    one_word = [name for name in names if "_" not in name[1:]]
    assert len(one_word) / len(names) < MAX_ONE_WORD_SHARE, sorted(one_word)


def test_architecture_names_existing_files() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    paths = re.findall(r"`([a-z_]+/[a-z_/]*(?:\.py)?)`", text)
    missing = [path for path in paths if not (ROOT / "engine" / "firstcause" / path).exists()]
    assert len(paths) > 30
    assert missing == []
