"""Settings models: what their mistakes are called, and which of their keys were renamed.

A settings model, ours or a plugin's, may have a class attribute `renamed_keys`: each former key -> what to
write instead, which is the new key or a phrase such as "escalation_only = true instead of direct = false".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel, RootModel

from firstcause.core.text.spelling import suggest_nearest
from firstcause.hookspecs.setting_files import FILE_SUFFIX

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

UNKNOWN_KEY_TYPE = "extra_forbidden"


def describe_settings_error(model: type[BaseModel], detail: Mapping[str, Any]) -> str:
    """Say what is wrong with one key, in words that follow its location: " is unknown; did you mean port?".

    model: the model that refused the settings. detail: one entry of pydantic's `ValidationError.errors()`.
    """
    if detail["type"] != UNKNOWN_KEY_TYPE:
        return f": {detail['msg'].removeprefix('Value error, ')}"
    replacement = find_replacement(model, detail)
    if replacement is not None:
        return f" was renamed; write {replacement}"
    known_keys = _list_keys(_find_model(model, detail["loc"][:-1]))
    key = str(detail["loc"][-1])
    plain_key = key.removesuffix(FILE_SUFFIX)
    if plain_key != key and plain_key in known_keys:
        return f" is unknown; only secrets come from files: write {plain_key}"
    return f" is unknown{suggest_nearest(key, known_keys, '{}')}"


def find_replacement(model: type[BaseModel], detail: Mapping[str, Any]) -> str | None:
    """What to write instead of an unknown key that was renamed; None where the key was never known."""
    if detail["type"] != UNKNOWN_KEY_TYPE:
        return None
    owner = _find_model(model, detail["loc"][:-1])
    renamed_keys: Mapping[str, str] = getattr(owner, "renamed_keys", {})
    return renamed_keys.get(str(detail["loc"][-1]))


def _list_keys(model: type[BaseModel]) -> list[str]:
    """The keys that a user can write; fields with `exclude` are set by the program."""
    return [field.alias or name for name, field in model.model_fields.items() if not field.exclude]


def _find_model(model: type[BaseModel], location: Sequence[int | str]) -> type[BaseModel]:
    """The model at a location of pydantic's. Names in a dict and places in a list lead no deeper."""
    current = _unwrap_root(model)
    for part in location:
        fields = {field.alias or name: field for name, field in current.model_fields.items()}
        field = fields.get(str(part))
        nested = next(_iter_models(field.annotation), None) if field is not None else None
        if nested is not None:
            current = _unwrap_root(nested)
    return current


def _unwrap_root(model: type[BaseModel]) -> type[BaseModel]:
    if not issubclass(model, RootModel):
        return model
    return next(_iter_models(model.model_fields["root"].annotation), model)


def _iter_models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models in an annotation, such as Route in `tuple[Route, ...]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _iter_models(argument)
