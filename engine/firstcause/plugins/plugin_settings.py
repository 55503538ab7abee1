"""The table [plugins.NAME] of one plugin: what the host reads of it, and what its model validates."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, RootModel, ValidationError

from firstcause.errors import ConfigError
from firstcause.hookspecs.setting_files import read_file_keys
from firstcause.hookspecs.settings import describe_settings_error
from firstcause.plugins.timeouts import CallTimeoutError, call_with_timeout

if TYPE_CHECKING:
    from collections.abc import Sequence

    from firstcause.plugins.hook_table import Hook
    from firstcause.plugins.plugin import Plugin

CONFIG_TIMEOUT_S = 5.0
"""Seconds within which one plugin's settings must be validated."""

ENABLED_KEY = "enabled"
ORDER_KEY = "order"
_HOST_KEYS = (ENABLED_KEY, ORDER_KEY)
_WORDS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def read_enabled(table: Mapping[str, Any]) -> bool | None:
    """Return whether the table switches its plugin on; None where `enabled` is neither true nor false."""
    value = table.get(ENABLED_KEY, True)
    return value if isinstance(value, bool) else _WORDS.get(str(value).lower())


def configure(plugin: Plugin, table: Mapping[str, Any], hooks: Sequence[Hook]) -> None:
    """Validate the plugin's table with its model. Mistakes become problems of the plugin."""
    location = f"[plugins.{plugin.name}]"
    _read_host_keys(plugin, table, location)
    model = _find_model(plugin, hooks)
    if model is None:
        rest = [key for key in table if key not in _HOST_KEYS]
        if rest and plugin.configured:
            plugin.add_problem(f"takes no settings, so {location} {', '.join(rest)} has no effect; remove it")
        return
    own_table = {
        key: value for key, value in table.items() if key not in _HOST_KEYS or key in model.model_fields
    }
    try:
        expanded = read_file_keys(own_table, model, location, secrets_only=True)
        # Whatever the model says, since a misspelt key that nobody refuses is found at night.
        values = _parse_json_texts(expanded, model)
        plugin.config = call_with_timeout(
            lambda: model.model_validate(values, extra="forbid"),
            CONFIG_TIMEOUT_S,
            f"settings of {plugin.name}",
        )
    except ConfigError as error:
        plugin.configured = False
        plugin.add_problem(str(error))
    except ValidationError as error:
        plugin.configured = False
        for detail in error.errors(include_url=False, include_input=False):
            key = ".".join(map(str, detail["loc"]))
            problem = describe_settings_error(model, detail)
            plugin.add_problem(f"{location} {key}{problem}" if key else f"{location}{problem}")
    except CallTimeoutError:
        plugin.configured = False
        plugin.add_problem(f"its settings model did not return within {CONFIG_TIMEOUT_S:g} s")
    except Exception as error:  # noqa: BLE001 - a stranger's validator may raise anything
        plugin.configured = False
        # Without the error's text, which may hold the value, and the value may be a secret.
        plugin.add_problem(f"its settings model raised {type(error).__name__} for {location}")


def _read_host_keys(plugin: Plugin, table: Mapping[str, Any], location: str) -> None:
    if read_enabled(table) is None:
        plugin.add_problem(f"{location} {ENABLED_KEY} is neither true nor false; the plugin is on")
    order = table.get(ORDER_KEY, 0)
    try:
        plugin.order = int(order) if not isinstance(order, bool) else 0
    except (TypeError, ValueError):
        plugin.add_problem(
            f"{location} {ORDER_KEY} is not a number such as 10; the plugin has its usual place"
        )


def _find_model(plugin: Plugin, hooks: Sequence[Hook]) -> type[BaseModel] | None:
    """The settings model: the module's `Config`, else the type that hooks give their argument `config`."""
    named = getattr(plugin.module, "Config", None)
    if named is not None:
        if isinstance(named, type) and issubclass(named, BaseModel):
            return named
        plugin.configured = False
        plugin.add_problem("its Config is not a pydantic model")
        return None
    takers = [hook for hook in hooks if "config" in hook.arguments]
    models = dict.fromkeys(model for hook in takers if (model := _find_annotated_model(hook)) is not None)
    if len(models) > 1:
        plugin.configured = False
        names = ", ".join(model.__name__ for model in models)
        plugin.add_problem(f"its hooks take settings of several models ({names}); use one")
        return None
    if takers and not models:
        names = ", ".join(hook.name for hook in takers)
        plugin.add_problem(
            f"{names} takes config, and no settings model is known: "
            "name it Config, or write `config: MyModel`"
        )
    return next(iter(models), None)


def _find_annotated_model(hook: Hook) -> type[BaseModel] | None:
    annotation = getattr(hook.function, "__annotations__", {}).get("config")
    if isinstance(annotation, str):
        try:
            # As typing.get_type_hints does, for this argument alone: others may name what is imported for
            # type checking only.
            annotation = eval(annotation, getattr(hook.function, "__globals__", {}))  # noqa: S307
        except Exception:  # noqa: BLE001 - the name is known to type checkers only
            return None
    candidates = (annotation, *get_args(annotation))
    return next((part for part in candidates if isinstance(part, type) and issubclass(part, BaseModel)), None)


def _parse_json_texts(table: Mapping[str, Any], model: type[BaseModel]) -> Any:
    """Parse what the environment gives as JSON where the model has a list or a table: '["a", "b"]'."""
    if issubclass(model, RootModel):
        return table
    fields = {field.alias or name: field.annotation for name, field in model.model_fields.items()}
    return {key: _parse_json_text(value, fields.get(key)) for key, value in table.items()}


def _parse_json_text(value: Any, annotation: Any) -> Any:
    if isinstance(value, Mapping):
        models = [part for part in _list_parts(annotation) if issubclass(part, BaseModel)]
        return _parse_json_texts(value, models[0]) if models else value
    if not isinstance(value, str) or value[:1] not in {"[", "{"}:
        return value
    parts = _list_parts(annotation)
    if str in parts or not any(
        issubclass(part, list | tuple | set | frozenset | Mapping | BaseModel) for part in parts
    ):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value  # the model says what it expects


def _list_parts(annotation: Any) -> list[type]:
    """The types that a value may have itself: of `list[int] | None`, list and NoneType."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _list_parts(get_args(annotation)[0])
    if origin in {Union, UnionType}:
        return [part for argument in get_args(annotation) for part in _list_parts(argument)]
    base = origin or annotation
    return [base] if isinstance(base, type) else []
