"""The configuration: config.toml, the environment over it, and a default for everything."""

from __future__ import annotations

import os
import tomllib
from datetime import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import platformdirs
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from firstcause.core.model import Frozen, MaybeName, Priority, Scalar, Severity
from firstcause.core.notify.quiet_hours import QuietHours
from firstcause.core.text.durations import Duration
from firstcause.core.text.sizes import Size
from firstcause.core.text.spelling import suggest_nearest
from firstcause.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ENV_PREFIX = "FIRSTCAUSE_"
MIB = 1024 * 1024


class Store(Frozen):
    """url: sqlite:///path or postgresql://user@host/name; None is firstcause.db in the state folder.

    keep_events: how long an event is kept after its triage. max_events: how many are kept at most.
    max_bytes: that the store may use before the oldest events go, 0 for any.
    keep_incidents: how long an incident is kept after its end. What is open stays, whatever these say.
    """

    url: str | None = None
    keep_events: Duration = 30 * 86400.0
    max_events: int = Field(default=5_000_000, ge=0)
    max_bytes: Size = 10 * 1024 * MIB
    keep_incidents: Duration = 400 * 86400.0


def _check_hash(text: str) -> str:
    if not text.startswith("$argon2"):
        msg = "this is no argon2 hash; `firstcause web password FILE` writes one, for password_file"
        raise ValueError(msg)
    return text


class Web(Frozen):
    """Where the daemon listens. token_file: holds the token that every API call must then bring.

    password: the argon2 hash of what the page asks for. session: how long whoever gave it stays signed in.
    hosts: further names under which browsers reach us.
    """

    host: str = "127.0.0.1"
    port: int = Field(default=8377, ge=0, le=65535)
    token_file: str | None = None
    password: Annotated[str, AfterValidator(_check_hash)] | None = Field(default=None, repr=False)
    session: Duration = Field(default=12 * 3600.0, gt=0)
    hosts: tuple[str, ...] = ()


class Rules(Frozen):
    """paths: folders of rule files, "shipped" for those that come along. thresholds: own values of theirs."""

    paths: tuple[str, ...] = ("shipped",)
    thresholds: dict[str, Scalar | tuple[Scalar, ...]] = Field(default_factory=dict)


class Topology(Frozen):
    """depends_on: component or service -> those that it calls, besides what rule files say.

    learn_from: tags or details of an error that name what its service called. learned_for: how long such
    a call counts after it was last seen.
    """

    depends_on: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    learn_from: tuple[str, ...] = ("peer.service",)
    learned_for: Duration = 30 * 86400.0


class Sender(Frozen):
    """A source with a token of its own. service, tenant: what all its events are then of."""

    token: SecretStr = Field(min_length=1)
    service: MaybeName = None
    tenant: MaybeName = None


def _wrap_token(value: object) -> object:
    return {"token": value} if isinstance(value, str) else value


class Intake(Frozen):
    """Limits in bytes. max_waiting_bytes: of what waits for triage, beyond which nothing is taken; 0 for any.

    quiet_after: an error that nobody reports for so long is over.

    trailing: what a fault set off may go on for so long after it is mended. returning: an error that is
    back so soon after it ended by itself continues its incident.

    kinds: errors without an entry that have an alert each, of one service and tenant; kinds_in_all: of all
    together. What is beyond counts in one alert a service. codes: that are remembered without an entry.
    rate: events a second that one source may send for long, 0 for any; burst: so many at once.
    tokens: by the source's name. With one of them, or with [web] token_file, no source is taken without.
    """

    max_event_bytes: Size = Field(default=MIB, gt=0)
    max_request_bytes: Size = Field(default=20 * MIB, gt=0)
    max_waiting_bytes: Size = 2048 * MIB
    quiet_after: Duration = 86400.0
    trailing: Duration = 300.0
    returning: Duration = 600.0
    kinds: int = Field(default=50, ge=1)
    kinds_in_all: int = Field(default=2000, ge=1)
    codes: int = Field(default=10_000, ge=1)
    rate: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    burst: int = Field(default=1000, ge=1)
    tokens: dict[str, Annotated[Sender, BeforeValidator(_wrap_token)]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check_tokens_differ(self) -> Intake:
        names_by_token: dict[str, str] = {}
        for name, sender in self.tokens.items():
            other = names_by_token.setdefault(sender.token.get_secret_value(), name)
            if other != name:
                msg = f"tokens of {other} and {name} are the same; give each its own"
                raise ValueError(msg)
        return self


class Day(StrEnum):
    """A day of the week, Monday first."""

    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


def _check_timezone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        msg = f"{name!r} is no time zone; write it like Europe/Berlin"
        raise ValueError(msg) from None
    return name


class QuietHoursSettings(Frozen):
    """When a route keeps still. start, end: times of the wall clock in timezone. excepted: still said."""

    start: time = Field(alias="from")
    end: time = Field(alias="to")
    timezone: Annotated[str, AfterValidator(_check_timezone)] = "UTC"
    days: tuple[Day, ...] = ()
    excepted: tuple[Priority, ...] = Field(default=(Priority.P0,), alias="except")

    @property
    def hours(self) -> QuietHours:
        days = frozenset(list(Day).index(day) for day in self.days)
        return QuietHours(self.start, self.end, ZoneInfo(self.timezone), days)


class NotifierLimit(Frozen):
    """How many messages a notifier may send; what is more comes together in one. excepted: said at once."""

    most: int = Field(alias="max", ge=1, le=10_000)
    per: Duration = Field(default=3600.0, gt=0)
    excepted: tuple[Priority, ...] = Field(default=(Priority.P0,), alias="except")


class Route(Frozen):
    """Who is told of what. An empty list means any; notifiers are tried in order until one can.

    direct: False where it is only for what another route escalates to it.
    """

    name: str = ""
    notifiers: tuple[str, ...] = Field(min_length=1)
    priorities: tuple[Priority, ...] = ()
    severities: tuple[Severity, ...] = ()
    tenants: tuple[str, ...] = ()
    components: tuple[str, ...] = ()
    then_continue: bool = Field(default=False, alias="continue")
    direct: bool = True
    repeat_interval: Duration | None = None
    escalate_after: Duration = 900.0
    escalate_to: str | None = None
    quiet_hours: QuietHoursSettings | None = None


class Notify(Frozen):
    """group_wait: how long the first message waits for the true cause. link: base URL of the page.

    repeat_interval: after which people are reminded of what nobody acknowledged, 0 for never.
    limits: by notifier. default_limit: of those without one of their own, but for the last resort, which is
    a log rather than a person.
    """

    group_wait: Duration = 60.0
    repeat_interval: Duration = 14400.0
    retry_attempts: int = Field(default=5, ge=1, le=100)
    link: str | None = None
    limits: dict[str, NotifierLimit] = Field(default_factory=dict)
    default_limit: NotifierLimit = NotifierLimit(max=10, per=600.0)
    routes: tuple[Route, ...] = ()

    @property
    def by_name(self) -> dict[str, Route]:
        """The routes in order; one without a name is called by its place."""
        return {route.name or f"route {index}": route for index, route in enumerate(self.routes, 1)}

    @model_validator(mode="after")
    def _check_routes(self) -> Notify:
        routes_by_name = self.by_name
        if len(routes_by_name) < len(self.routes):
            names = [route.name for route in self.routes]
            duplicate = next(name for name in names if names.count(name) > 1)
            msg = f"two routes are named {duplicate!r}; give each a name of its own"
            raise ValueError(msg)
        for name in routes_by_name:
            _check_escalation(name, routes_by_name)
        return self


def _check_escalation(name: str, routes_by_name: Mapping[str, Route]) -> None:
    """ValueError where a route escalates to none that is there, or in a circle."""
    visited = [name]
    while (target := routes_by_name[visited[-1]].escalate_to) is not None:
        if target not in routes_by_name:
            route_names = ", ".join(routes_by_name)
            msg = f"route {visited[-1]!r}: escalate_to names {target!r}, which is no route; there are {route_names}"
            raise ValueError(msg)
        if target in visited:
            msg = f"escalate_to goes in a circle: {' -> '.join([*visited, target])}; take one of them out"
            raise ValueError(msg)
        visited.append(target)


class Budget(Frozen):
    """Errors that may come within `over`. codes: which of them count, all where none is named."""

    errors: int = Field(gt=0)
    over: Duration = Field(default=30 * 86400.0, gt=0)
    codes: tuple[str, ...] = ()
    severities: tuple[Severity, ...] = (Severity.CRITICAL,)
    component: str = "platform"


class Health(Frozen):
    """interval: between snapshots. keep_whole: after that one an hour is kept; retention: after that none.

    env_file: the application's dotenv file, whose catalogued variables are looked for. budgets: by name.
    releases: tags or details of an error that name the release of its service.
    """

    interval: Duration = Field(default=300.0, gt=0)
    keep_whole: Duration = 30 * 86400.0
    retention: Duration = 400 * 86400.0
    env_file: str | None = None
    budgets: dict[str, Budget] = Field(default_factory=dict)
    releases: tuple[str, ...] = ("release", "service.version")


class Settings(BaseSettings):
    """All of it. folder: the folder that relative paths in it are relative to."""

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        env_prefix=ENV_PREFIX,
        env_nested_delimiter="__",
        hide_input_in_errors=True,
    )

    store: Store = Field(default_factory=Store)
    web: Web = Field(default_factory=Web)
    rules: Rules = Field(default_factory=Rules)
    topology: Topology = Field(default_factory=Topology)
    intake: Intake = Field(default_factory=Intake)
    notify: Notify = Field(default_factory=Notify)
    health: Health = Field(default_factory=Health)
    plugins: dict[str, dict[str, Any]] = Field(default_factory=dict)
    folder: Path = Field(default_factory=Path.cwd)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        # The environment stands over the file, which comes in as arguments.
        _ = settings_cls, dotenv_settings, file_secret_settings
        return (env_settings, init_settings)

    @property
    def web_token(self) -> str | None:
        """The token of [web] token_file, None where none is named. ConfigError where it cannot be read."""
        if self.web.token_file is None:
            return None
        path = self.folder / self.web.token_file
        try:
            token = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            msg = f"[web] token_file {path} cannot be read: {error}"
            raise ConfigError(msg) from None
        if not token:
            msg = f"[web] token_file {path} is empty; write a long random text into it"
            raise ConfigError(msg)
        return token

    @property
    def store_url(self) -> str:
        url = self.store.url
        if url is None:
            return f"sqlite:///{state_folder() / 'firstcause.db'}"
        scheme, slashes, path = url.partition(":///")
        if not scheme.startswith("sqlite") or path in {"", ":memory:"} or path.startswith(("file:", "?")):
            return url
        return f"{scheme}{slashes}{self.folder / Path(path).expanduser()}"

    @property
    def store_folder(self) -> Path:
        """The folder of what is kept beside the store: that of a SQLite file, else the state folder."""
        url = self.store_url
        path = url.partition(":///")[2].partition("?")[0]
        is_file = url.startswith("sqlite") and path not in {"", ":memory:"} and not path.startswith("file:")
        return Path(path).parent if is_file else state_folder()


def state_folder() -> Path:
    """systemd's state folder where it gave one, else the user's."""
    state_directories = os.environ.get("STATE_DIRECTORY")
    return (
        Path(state_directories.partition(":")[0])
        if state_directories
        else platformdirs.user_state_path("firstcause")
    )


def load(path: Path | None) -> Settings:
    """The settings of `path`, else of $FIRSTCAUSE_CONFIG, else of ./config.toml, else the defaults."""
    explicit_path = path or (
        Path(os.environ["FIRSTCAUSE_CONFIG"]) if os.environ.get("FIRSTCAUSE_CONFIG") else None
    )
    config_path = explicit_path or Path("config.toml")
    if not config_path.is_file():
        if explicit_path is not None:
            msg = f"no configuration at {explicit_path}; `firstcause init` writes one"
            raise ConfigError(msg)
        return _build_settings({}, Path.cwd(), "the environment")
    return _build_settings(_read_toml(config_path), config_path.resolve().parent, str(config_path))


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        msg = f"{path}: {error}"
        raise ConfigError(msg) from None
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{path} cannot be read: {error}"
        raise ConfigError(msg) from None


def _build_settings(values: dict[str, Any], folder: Path, source: str) -> Settings:
    for key in values:
        # pydantic-settings takes arguments with an underscore as orders to itself.
        if key == "folder" or key.startswith("_"):
            raise ConfigError(f"{source}: {key} is unknown; remove it")
    for section, keep in (("store", set()), ("web", {"token_file"}), ("intake", set())):
        if isinstance(values.get(section), dict):
            values[section] = _resolve_file_keys(values[section], folder, f"{source}: [{section}]", keep)
    tables = values.get("plugins")
    plugins: dict[str, Any] = tables if isinstance(tables, dict) else {}
    for name, table in plugins.items():
        if isinstance(table, dict):
            plugins[name] = _resolve_file_keys(
                table, folder, f"{source}: [plugins.{name}]", path_keys={"env_file"}
            )
    try:
        # Afterwards, as the environment would stand over an argument.
        return Settings(**values).model_copy(update={"folder": folder})
    except ValidationError as error:
        raise ConfigError("\n".join(_format_errors(error, source))) from None
    except SettingsError as error:
        raise ConfigError(_format_json_error(error)) from None


def _resolve_file_keys(
    table: Mapping[str, Any], folder: Path, source: str, path_keys: set[str]
) -> dict[str, Any]:
    """`key_file = path` as `key = what the file holds`, so that no secret need stand in the file."""
    resolved: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, dict):
            resolved[key] = _resolve_file_keys(value, folder, f"{source} {key}", path_keys)
        elif key.endswith("_file") and key not in path_keys and isinstance(value, str):
            plain_key = key.removesuffix("_file")
            if plain_key in table:
                raise ConfigError(f"{source} {plain_key} and {key} are both given; keep one")
            resolved[plain_key] = _read_secret(folder / value, f"{source} {key}")
        elif key in path_keys and isinstance(value, str):
            resolved[key] = str(folder / value)
        else:
            resolved[key] = value
    return resolved


def _read_secret(path: Path, source: str) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigError(f"{source}: {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{source}: {path} cannot be read: it is no UTF-8 text") from None


def _format_json_error(error: SettingsError) -> str:
    """The line for a variable of the environment that should hold JSON and does not."""
    value = getattr(error.__cause__, "doc", None)
    names = [
        name for name, text in os.environ.items() if name.upper().startswith(ENV_PREFIX) and text == value
    ]
    return f'the environment: {", ".join(names) or error}: lists and tables are given as JSON, like ["a"]'


def _format_errors(error: ValidationError, source: str) -> Iterator[str]:
    variables = {name.upper() for name in os.environ}
    for detail in error.errors(include_url=False, include_input=False):
        section, *rest = (str(part) for part in detail["loc"])
        key = ".".join(rest)
        location = f"{source}: [{section}] {key}" if rest else f"{source}: {section}"
        variable = f"{ENV_PREFIX}{'__'.join((section, *rest))}".upper()
        if variable in variables:
            location = f"the environment: {variable}"
        if detail["type"] == "extra_forbidden":
            hint = suggest_nearest(rest[-1] if rest else section, _list_known_keys(section, rest), "{}")
            yield f"{location} is unknown{hint or '; config.toml of `init` has all keys'}"
        else:
            yield f"{location}: {detail['msg'].removeprefix('Value error, ')}"


def _list_known_keys(section: str, rest: list[str]) -> list[str]:
    if not rest:
        return [name for name in Settings.model_fields if name != "folder"]
    model = Route if "routes" in rest else Settings.model_fields[section].annotation
    model_fields = getattr(model, "model_fields", {})
    return [field.alias or name for name, field in model_fields.items()]
