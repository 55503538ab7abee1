"""Keys that name a file: `password_file = "path"` in place of `password`, for settings models of any kind.

The model decides what a key means. If it has a field `ca_file`, that is a path. If it has a field `password`
only, `password_file` names the file that holds it; in a plugin's table only if `password` is a secret.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, RootModel, SecretBytes, SecretStr

from firstcause.errors import ConfigError

FILE_SUFFIX = "_file"


class NamedFile(str):
    """The value of a key `..._file` in config.toml: as it is written there, and where that is.

    plain_key_given: whether the same table of config.toml has the key without `_file` too.
    """

    __slots__ = ("path", "plain_key_given")

    path: Path
    plain_key_given: bool


def mark_file_keys(table: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Make a NamedFile of each text whose key ends in `_file`. folder: what relative paths start from."""
    marked: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, Mapping):
            marked[key] = mark_file_keys(value, folder)
        elif isinstance(value, list):
            marked[key] = [
                mark_file_keys(item, folder) if isinstance(item, Mapping) else item for item in value
            ]
        elif isinstance(value, str) and key.endswith(FILE_SUFFIX):
            named_file = NamedFile(value)
            named_file.path = folder / value
            named_file.plain_key_given = key.removesuffix(FILE_SUFFIX) in table
            marked[key] = named_file
        else:
            marked[key] = value
    return marked


def read_file_keys(
    table: Mapping[str, Any], annotation: Any, location: str, *, secrets_only: bool = False
) -> dict[str, Any]:
    """Replace `key_file = path` by `key = content of that file` where the model has `key` and no `key_file`.

    Where the model has `key_file`, a path of config.toml is made absolute. All other keys stay as they are.
    A `key` that the environment sets counts instead of the file.
    annotation: the table's type, such as the model. location: the table's name, for messages.
    secrets_only: only keys that the model declares as SecretStr come from a file.
    ConfigError: a file cannot be read, or both keys are given in one place.
    """
    return dict(_read_value(table, annotation, location, secrets_only=secrets_only))


def _read_model_keys(
    table: Mapping[str, Any], model: type[BaseModel], location: str, *, secrets_only: bool
) -> dict[str, Any]:
    if issubclass(model, RootModel):
        root_type = model.model_fields["root"].annotation
        return dict(_read_value(table, root_type, location, secrets_only=secrets_only))
    fields = {field.alias or name: field.annotation for name, field in model.model_fields.items()}
    resolved: dict[str, Any] = {}
    for key, value in table.items():
        plain_key = key.removesuffix(FILE_SUFFIX)
        if key in fields:
            resolved[key] = _read_value(value, fields[key], f"{location} {key}", secrets_only=secrets_only)
        elif (
            key != plain_key
            and plain_key in fields
            and isinstance(value, str)
            and (not secrets_only or _holds_secret(fields[plain_key]))
        ):
            _add_content(resolved, table, key, value, location)
        else:
            resolved[key] = value
    return resolved


def _holds_secret(annotation: Any) -> bool:
    """Whether a SecretStr is somewhere in the annotation, as in `list[SecretStr] | None`."""
    if isinstance(annotation, type) and issubclass(annotation, SecretStr | SecretBytes):
        return True
    return any(_holds_secret(argument) for argument in get_args(annotation))


def _read_value(value: Any, annotation: Any, location: str, *, secrets_only: bool) -> Any:
    if isinstance(value, NamedFile):
        return str(value.path)
    if isinstance(value, list):
        item_type = next(iter(get_args(_find_type(annotation, (list, tuple)))), None)
        return [_read_value(item, item_type, location, secrets_only=secrets_only) for item in value]
    if not isinstance(value, Mapping):
        return value
    model = _find_type(annotation, (BaseModel,))
    if model is not None:
        return _read_model_keys(value, model, location, secrets_only=secrets_only)
    value_type = next(iter(get_args(_find_type(annotation, (dict, Mapping)))[1:]), None)
    if value_type is SecretStr:
        return _read_secret_values(value, location)
    # In a table of free names, such as disks by their names, a name that ends in _file is a name.
    return {
        key: str(item)
        if isinstance(item, NamedFile)
        else _read_value(item, value_type, f"{location} {key}", secrets_only=secrets_only)
        for key, item in value.items()
    }


def _read_secret_values(table: Mapping[str, Any], location: str) -> dict[str, Any]:
    """A table of secrets by free names, such as HTTP headers."""
    resolved: dict[str, Any] = {}
    for key, value in table.items():
        if key.endswith(FILE_SUFFIX) and isinstance(value, str):
            _add_content(resolved, table, key, value, location)
        else:
            resolved[key] = value
    return resolved


def _add_content(
    resolved: dict[str, Any], table: Mapping[str, Any], key: str, value: str, location: str
) -> None:
    plain_key = key.removesuffix(FILE_SUFFIX)
    if plain_key in table:
        if isinstance(value, NamedFile) and not value.plain_key_given:
            return  # the environment sets the plain key
        raise ConfigError(f"{location} {plain_key} and {key} are both given; keep one")
    path = value.path if isinstance(value, NamedFile) else Path(value)
    resolved[plain_key] = _read_text(path, f"{location} {key}")


def _read_text(path: Path, location: str) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigError(f"{location}: {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{location}: {path} cannot be read: it is not UTF-8 text") from None


def _find_type(annotation: Any, kinds: tuple[type, ...]) -> Any:
    """The part of an annotation that is of one of these kinds, such as `dict[str, Count]` in a union."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _find_type(get_args(annotation)[0], kinds)
    if origin in {Union, types.UnionType}:
        found = (_find_type(argument, kinds) for argument in get_args(annotation))
        return next((part for part in found if part is not None), None)
    base = origin or annotation
    return annotation if isinstance(base, type) and issubclass(base, kinds) else None
