"""Adds entries to a rule file, and changes them. The rest of the file stays as it is, byte for byte.

An item is written by ruamel.yaml, which keeps the comments, the order and the quotes of one that is
changed; it is then put in its place among the file's own lines.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import tempfile
from codecs import BOM_UTF8
from contextlib import suppress
from dataclasses import replace as with_values
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from firstcause.authoring.yaml_style import (
    DEFAULT_STYLE,
    Style,
    apply_style,
    create_yaml,
    dump_yaml,
    to_plain,
)
from firstcause.errors import ConfigError, Mistake, NotFoundError, RuleFileError
from firstcause.rulefiles.load import RuleBook, RuleFolder, find_rule_files, load
from firstcause.rulefiles.yaml_reader import MAX_BYTES, read_document

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from firstcause.rulefiles.thresholds import ThresholdValue
    from firstcause.rulefiles.yaml_reader import YamlPath


class RuleFileText:
    """The text of a rule file. Each change returns a new text. path: the file, for mistakes.

    RuleFileError: the text is not a rule file, or only a person can edit it; has each place.
    """

    def __init__(self, raw: bytes, path: str) -> None:
        document, mistakes = read_document(raw, path)
        if document is None or mistakes:
            raise RuleFileError(mistakes)
        self.raw = raw
        self.path = path
        self._document = document
        self._lines = raw.removeprefix(BOM_UTF8).decode().splitlines(keepends=True)

    @classmethod
    def create(cls, component: str, path: str) -> RuleFileText:
        return cls(f"component: {component}\n".encode(), path)

    @property
    def component(self) -> str | None:
        name = self._document.data.get("component")
        return name if isinstance(name, str) else None

    def add_entries(
        self, entries: Sequence[Mapping[str, Any]], tests: Sequence[Mapping[str, Any]] = ()
    ) -> RuleFileText:
        """Append the entries to `catalog`, and the tests to `tests`."""
        return self.append_items("catalog", entries).append_items("tests", tests)

    def change_entry(self, code: str, changes: Mapping[str, Any]) -> RuleFileText:
        """Change fields of an entry.

        Mappings are merged key by key, other values are replaced, and None removes a field.

        NotFoundError: the file has no entry with that code.
        """
        index = self._find_entry(code)
        start, end = self._locate_item("catalog", index)
        expected = _merge_changes(self._document.data["catalog"][index], changes)
        lines = self._rewrite_item(("catalog", index), self._lines[start:end], changes)
        data = {**self._document.data, "catalog": list(self._document.data["catalog"])}
        data["catalog"][index] = expected
        return self._splice_lines(start, end, lines, data)

    def _find_entry(self, code: str) -> int:
        entries = self._document.data.get("catalog")
        for index, entry in enumerate(entries if isinstance(entries, list) else ()):
            if isinstance(entry, dict) and entry.get("code", entry.get("extends")) == code:
                return index
        raise NotFoundError(f"{self.path} has no entry {code}; add it, or name another file")

    def append_items(self, key: str, items: Sequence[Mapping[str, Any]]) -> RuleFileText:
        """Append the items to the list under that key of the file."""
        if not items:
            return self
        old = self._document.data.get(key)
        if old is not None and not isinstance(old, list):
            raise self._manual_edit_error((key,), f"`{key}` is not a list")
        data = {**self._document.data, key: [*(old or ()), *map(to_plain, items)]}
        if not old:
            return self._begin_list(key, items, data)
        _start, end = self._locate_item(key, len(old) - 1)
        dash, item = self._document.get_position((key,))[1] - 1, self._document.get_position((key, 0))[1] - 1
        written = dump_yaml({key: list(map(apply_style, items))}, (2, item, dash)).splitlines(keepends=True)
        return self._splice_lines(end, end, written[1:], data)

    def _begin_list(
        self, key: str, items: Sequence[Mapping[str, Any]], data: Mapping[str, Any]
    ) -> RuleFileText:
        """Insert a missing list: at its key, before the keys that come after it, or at the end."""
        written = dump_yaml({key: list(map(apply_style, items))}, DEFAULT_STYLE).splitlines(keepends=True)
        if key in self._document.data:
            line = self._document.key_positions[(key,)][0] - 1
            bare = re.fullmatch(rf"({key}\s*:)\s*(?:\[\s*\]|~|null)?(\s+#.*)?\s*", self._lines[line])
            elsewhere = self._document.data[key] == [] and self._document.get_position((key,))[0] - 1 != line
            if bare is None or elsewhere:
                raise self._manual_edit_error((key,), f"`{key}` is empty in a way of its own")
            first = f"{bare[1]}{(bare[2] or '').rstrip()}\n"
            return self._splice_lines(line, line + 1, [first, *written[1:]], data)
        later = ("rules", "tests") if key == "catalog" else ()
        lines = [
            self._document.key_positions[(name,)][0] - 1 for name in later if name in self._document.data
        ]
        insert_line = self._before_comments(min(lines)) if lines else len(self._lines)
        return self._splice_lines(insert_line, insert_line, written, data)

    def _before_comments(self, line: int) -> int:
        while line and self._lines[line - 1].startswith("#"):
            line -= 1
        return line

    def _locate_item(self, key: str, index: int) -> tuple[int, int]:
        """Return the lines of a list item: its first, from 0, and the one after its last."""
        line, column = self._document.get_position((key, index))
        if self._lines[line - 1][: column - 1].strip() != "-":
            raise self._manual_edit_error(
                (key, index), "the item does not begin after a dash on its own line"
            )
        following = [
            position[0] - 1
            for path, position in self._document.key_positions.items()
            if len(path) == 1 and position[0] > line
        ] + [len(self._lines)]
        if index + 1 < len(self._document.data[key]):
            following.append(self._document.get_position((key, index + 1))[0] - 1)
        end = min(following)
        while end > line and self._is_outside_item(self._lines[end - 1], column):
            end -= 1
        return line - 1, end

    @staticmethod
    def _is_outside_item(text: str, column: int) -> bool:
        bare = text.lstrip(" ")
        return not bare.strip() or (bare.startswith("#") and len(text) - len(bare) < column - 1)

    def _rewrite_item(self, path: YamlPath, lines: Sequence[str], changes: Mapping[str, Any]) -> list[str]:
        """Return the item's lines after the changes, with its dash and indentation as they were."""
        from ruamel.yaml.error import YAMLError  # noqa: PLC0415

        column = self._document.get_position(path)[1] - 1
        dash = lines[0][:column]
        text = " " * column + lines[0][column:] + "".join(lines[1:])
        style = self._detect_style(path)
        try:
            item = create_yaml(style).load(_dedent_text(text, column))
        except YAMLError:
            raise self._manual_edit_error(
                path, "the entry takes something from another place by an alias"
            ) from None
        _apply_changes(item, changes)
        written = dump_yaml(item, style).splitlines(keepends=True)
        indented = [" " * column + line if line.strip() else line for line in written]
        return [dash + indented[0][column:], *indented[1:]]

    def _detect_style(self, within: YamlPath) -> Style:
        """Return the indentation of mappings, list items and dashes at the place, as ruamel.yaml counts."""
        mapping, sequence = 2, (4, 2)
        document = self._document
        mappings = {path[:-1] for path in document.key_positions}
        for path, (line, column) in document.value_positions.items():
            key = document.key_positions.get(path)
            if key is None or path[: len(within)] != within or line == key[0]:
                continue
            sign = self._lines[line - 1][column - 1]
            item = document.get_position((*path, 0))
            if sign == "-" and item[0] == line and item[1] > column:
                sequence = (item[1] - key[1], column - key[1])
            elif path in mappings and sign != "{":
                mapping = column - key[1]
        return mapping, *sequence

    def _splice_lines(
        self, start: int, end: int, lines: Sequence[str], data: Mapping[str, Any]
    ) -> RuleFileText:
        """Replace lines start to end. data: what the file must hold afterwards."""
        before, after = self._lines[:start], self._lines[end:]
        newline = "\r\n" if self._lines[0].endswith("\r\n") else "\n"
        if before and not before[-1].endswith(("\n", "\r")):
            before[-1] += newline
        new_lines = [line.rstrip("\n") + newline for line in lines]
        bom = BOM_UTF8 if self.raw.startswith(BOM_UTF8) else b""
        raw = bom + "".join([*before, *new_lines, *after]).encode()
        document, mistakes = read_document(raw, self.path)
        if document is None or mistakes or document.data != data:
            raise self._manual_edit_error((), "a change would disturb what stands around it")
        return RuleFileText(raw, self.path)

    def _manual_edit_error(self, path: YamlPath, reason: str) -> RuleFileError:
        line, column = self._document.get_position(path)
        text = f"{reason}, which only a person can edit; edit it by hand, or use another file"
        return RuleFileError([Mistake(self.path, line, column, text)])


def open_rule_file(path: Path) -> RuleFileText:
    """Read the rule file from disk. RuleFileError: as `RuleFileText`, or the file cannot be read."""
    try:
        with path.open("rb") as stream:
            return RuleFileText(stream.read(MAX_BYTES + 1), str(path))
    except OSError as error:
        raise RuleFileError([Mistake(str(path), 0, 0, f"cannot be read: {error.strerror}")]) from None


def check_changes(
    texts: Mapping[Path, bytes],
    folders: Sequence[Path],
    thresholds: Mapping[str, ThresholdValue] = MappingProxyType({}),
) -> RuleBook:
    """Load the rule book as if these files held these texts. RuleFileError: has all mistakes."""
    with tempfile.TemporaryDirectory() as scratch:
        staged = {path.resolve(): Path(scratch, f"{index}.yaml") for index, path in enumerate(texts)}
        for path, text in texts.items():
            staged[path.resolve()].write_bytes(text)
        files = {file.resolve(): file for folder in folders for file in find_rule_files(folder)} | staged
        try:
            return load([RuleFolder(file, path.parent.name) for path, file in files.items()], thresholds)
        except RuleFileError as error:
            names = {str(staged[path.resolve()]): str(path) for path in texts}
            raise RuleFileError([_restore_paths(mistake, names) for mistake in error.mistakes]) from None


def _restore_paths(mistake: Mistake, names: Mapping[str, str]) -> Mistake:
    path, text = mistake.path, mistake.text
    for staged, original in names.items():
        path, text = path.replace(staged, original), text.replace(staged, original)
    return with_values(mistake, path=path, text=text)


def replace_file(path: Path, raw: bytes) -> None:
    """Write the file atomically. ConfigError: it cannot be written."""
    target = path.resolve()
    # Hidden, and with another suffix, so that it is not loaded as a rule file.
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as stream:
            stream.write(raw)
            stream.flush()
            os.fsync(stream.fileno())
        if target.exists():
            shutil.copymode(target, temporary)
        temporary.replace(target)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise ConfigError(f"{path} cannot be written: {error.strerror}; give another file") from error


def _dedent_text(text: str, column: int) -> str:
    return "".join(
        line[min(column, len(line) - len(line.lstrip(" "))) :] for line in text.splitlines(keepends=True)
    )


def _merge_changes(old: Any, changes: Any) -> Any:
    """Return the plain data after the changes."""
    if not isinstance(old, dict) or not isinstance(changes, dict):
        return to_plain(changes)
    kept = {key: value for key, value in old.items() if changes.get(key, ...) is not None}
    return kept | {
        key: _merge_changes(old.get(key), value) for key, value in changes.items() if value is not None
    }


def _apply_changes(item: Any, changes: Mapping[str, Any]) -> None:
    """Apply the changes to ruamel.yaml's data, which has the comments."""
    for key, value in changes.items():
        if value is None:
            item.pop(key, None)
            continue
        old = item.get(key)
        if isinstance(value, dict) and isinstance(old, dict):
            _apply_changes(old, value)
        elif isinstance(old, list) and _extends_list(old, value):
            old.extend(apply_style(part, key) for part in value[len(old) :])
        elif key not in item or to_plain(old) != to_plain(value):
            item[key] = apply_style(value, key)


def _extends_list(old: list[Any], new: Any) -> bool:
    return isinstance(new, list | tuple) and to_plain(new[: len(old)]) == to_plain(old)
