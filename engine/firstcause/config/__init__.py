"""The configuration: config.toml, the environment which overrides it, and a default for every key."""

from __future__ import annotations

import ipaddress
import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import platformdirs
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from firstcause.config.environment import ENV_PREFIX, find_unknown_variables
from firstcause.config.log import Log
from firstcause.config.notify import Notify
from firstcause.core.grouping.parts import Patience
from firstcause.core.model import Frozen, MaybeName, Scalar, Severity
from firstcause.core.privacy.personal import PersonalData
from firstcause.core.text.durations import Duration
from firstcause.core.text.sizes import Size
from firstcause.errors import ConfigError
from firstcause.hookspecs.secret_urls import encode_url_credentials
from firstcause.hookspecs.setting_files import mark_file_keys, read_file_keys
from firstcause.hookspecs.settings import describe_settings_error, find_replacement

if TYPE_CHECKING:
    from collections.abc import Iterator

MIB = 1024 * 1024
_ALL_KEYS_HINT = "; config.toml of `init` has all keys"


class Store(Frozen):
    """Where things are kept, how long, and how much of it. Active alerts and open incidents are always kept.

    url: sqlite:///path or postgresql://user@host/name; None means firstcause.db in the state folder.
    keep_events: how long an event is kept after its triage.
    max_events: how many events are kept; beyond that the oldest go.
    max_bytes: the size of the store beyond which the oldest events go; 0 means no limit.
    keep_incidents: how long an incident is kept after it was resolved.
    """

    url: str | None = None
    keep_events: Duration = 30 * 86400.0
    max_events: int = Field(default=5_000_000, ge=0)
    max_bytes: Size = 10 * 1024 * MIB
    keep_incidents: Duration = 400 * 86400.0


def _check_hash(text: str) -> str:
    if not text.startswith("$argon2"):
        msg = "this is not an argon2 hash; `firstcause web password FILE` writes one, for password_file"
        raise ValueError(msg)
    return text


def _check_network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text))
    except ValueError as error:
        msg = f"{text!r} is not a network such as 10.0.0.0/8 or an address such as 127.0.0.1: {error}"
        raise ValueError(msg) from None


class Web(Frozen):
    """Where the daemon listens, and who may use it.

    token_file: holds the token that every API call must send; None means that no call needs one.
    password: the argon2 hash of the page's password; None means that the page needs none.
    session: how long a browser stays signed in.
    hosts: host names, in addition to localhost, under which browsers may reach the daemon.
    trusted_proxies: networks of the proxies whose X-Forwarded-For and X-Forwarded-Proto are believed.
    """

    host: str = "127.0.0.1"
    port: int = Field(default=8377, ge=0, le=65535)
    token_file: str | None = None
    password: Annotated[str, AfterValidator(_check_hash)] | None = Field(default=None, repr=False)
    session: Duration = Field(default=12 * 3600.0, gt=0)
    hosts: tuple[str, ...] = ()
    trusted_proxies: tuple[Annotated[str, AfterValidator(_check_network)], ...] = ()


class Rules(Frozen):
    """Which rule files are read.

    paths: folders of rule files; "shipped" stands for those that firstcause ships.
    thresholds: values that replace those in the rule files.
    """

    paths: tuple[str, ...] = ("shipped",)
    thresholds: dict[str, Scalar | tuple[Scalar, ...]] = Field(default_factory=dict)


class Privacy(Frozen):
    """What is masked beside secrets, before anything is stored, shown or sent.

    mask_personal_data: kinds of personal data; empty: none.
    """

    mask_personal_data: tuple[PersonalData, ...] = (PersonalData.CARDS,)


class Topology(Frozen):
    """Which components call which, in addition to `depends_on` in rule files.

    depends_on: component or service -> those that it calls.
    peer_attributes: tags or details of an error that name the service that was called.
    learned_ttl: how long a call that an error named counts after it was last seen.
    """

    renamed_keys: ClassVar[dict[str, str]] = {"learn_from": "peer_attributes", "learned_for": "learned_ttl"}

    depends_on: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    peer_attributes: tuple[str, ...] = ("peer.service",)
    learned_ttl: Duration = 30 * 86400.0


class Sender(Frozen):
    """A source with a token of its own. service, tenant: set on all its events; None leaves them as sent."""

    token: SecretStr = Field(min_length=1)
    service: MaybeName = None
    tenant: MaybeName = None


def _wrap_token(value: object) -> object:
    return {"token": value} if isinstance(value, str) else value


class Intake(Frozen):
    """Limits of what is accepted, and when an error ends.

    max_event_bytes, max_request_bytes: of one event, and of one request after decompression.
    max_waiting_bytes: how much may wait for triage; beyond that events are refused. 0 means no limit.
    resolve_after: an error that nobody reports for so long is resolved.
    resolve_announced_after: the same for an error whose sender says itself when it is over, as Alertmanager
        does; longer than such senders wait before they repeat themselves.
    cascade_grace: how long follow-on errors may continue after their root cause is resolved.
    reopen_within: an error that returns so soon after it ended reopens its incident.
    max_uncatalogued_per_service: alerts of errors without a catalog entry, for one service and tenant.
    max_uncatalogued: the same for all services together. Beyond either, errors count in OTHER_ERRORS.
    max_tracked_codes: codes without a catalog entry that are remembered.
    rate: events a second that one source may send continuously; 0 means no limit.
    burst: events that one source may send at once.
    tokens: by the source's name. With one of them, or with [web] token_file, every source needs a token.
    """

    renamed_keys: ClassVar[dict[str, str]] = {
        "quiet_after": "resolve_after",
        "trailing": "cascade_grace",
        "returning": "reopen_within",
        "kinds": "max_uncatalogued_per_service",
        "kinds_in_all": "max_uncatalogued",
        "codes": "max_tracked_codes",
    }

    max_event_bytes: Size = Field(default=MIB, gt=0)
    max_request_bytes: Size = Field(default=20 * MIB, gt=0)
    max_waiting_bytes: Size = 2048 * MIB
    resolve_after: Duration = 86400.0
    resolve_announced_after: Duration = 7 * 86400.0
    cascade_grace: Duration = 300.0
    reopen_within: Duration = 600.0
    max_uncatalogued_per_service: int = Field(default=50, ge=1)
    max_uncatalogued: int = Field(default=2000, ge=1)
    max_tracked_codes: int = Field(default=10_000, ge=1)
    rate: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    burst: int = Field(default=1000, ge=1)
    tokens: dict[str, Annotated[Sender, BeforeValidator(_wrap_token)]] = Field(default_factory=dict)

    @property
    def patience(self) -> Patience:
        return Patience(self.resolve_after, max(self.resolve_after, self.resolve_announced_after))

    @model_validator(mode="after")
    def _check_tokens_differ(self) -> Intake:
        names_by_token: dict[str, str] = {}
        for name, sender in self.tokens.items():
            other = names_by_token.setdefault(sender.token.get_secret_value(), name)
            if other != name:
                msg = f"tokens of {other} and {name} are the same; give each its own"
                raise ValueError(msg)
        return self


class Budget(Frozen):
    """An error budget: how many errors may occur within the window.

    codes: which errors count; empty means all. severities: the same by severity.
    component: the component that an exhausted budget is reported of.
    """

    renamed_keys: ClassVar[dict[str, str]] = {"over": "window"}

    errors: int = Field(gt=0)
    window: Duration = Field(default=30 * 86400.0, gt=0)
    codes: tuple[str, ...] = ()
    severities: tuple[Severity, ...] = (Severity.CRITICAL,)
    component: str = "platform"


class Health(Frozen):
    """Snapshots of everything, and error budgets.

    interval: between two snapshots.
    full_resolution: how long every snapshot is kept; older ones are thinned to one an hour.
    retention: how long a snapshot is kept at all.
    env_file: the application's dotenv file; which catalogued variables it lacks becomes a fact.
    budgets: by name.
    release_attributes: tags or details of an error that name the release of its service.
    expect_probes: whether it is amiss that no probe is set up.
    """

    renamed_keys: ClassVar[dict[str, str]] = {
        "keep_whole": "full_resolution",
        "releases": "release_attributes",
    }

    interval: Duration = Field(default=300.0, gt=0)
    full_resolution: Duration = 30 * 86400.0
    retention: Duration = 400 * 86400.0
    env_file: str | None = None
    budgets: dict[str, Budget] = Field(default_factory=dict)
    release_attributes: tuple[str, ...] = ("release", "service.version")
    expect_probes: bool = True


class Settings(BaseSettings):
    """All settings. folder: the folder that relative paths in them are relative to."""

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
    privacy: Privacy = Field(default_factory=Privacy)
    log: Log = Field(default_factory=Log)
    plugins: dict[str, dict[str, Any]] = Field(default_factory=dict)
    folder: Path = Field(default_factory=Path.cwd, exclude=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        # The environment overrides the file, whose values are passed as arguments.
        _ = settings_cls, dotenv_settings, file_secret_settings
        return (env_settings, init_settings)

    @property
    def web_token(self) -> str | None:
        """The token in [web] token_file; None if no file is named.

        ConfigError: the file cannot be read, or is empty.
        """
        if self.web.token_file is None:
            return None
        path = self.folder / self.web.token_file
        try:
            token = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            msg = f"[web] token_file {path} cannot be read: {error}"
            raise ConfigError(msg) from None
        if not token:
            msg = f"[web] token_file {path} is empty; write a long random token into it"
            raise ConfigError(msg)
        return token

    @property
    def store_url(self) -> str:
        url = self.store.url
        if url is None:
            return f"sqlite:///{state_folder() / 'firstcause.db'}"
        scheme, slashes, path = url.partition(":///")
        if not scheme.startswith("sqlite") or path in {"", ":memory:"} or path.startswith(("file:", "?")):
            return encode_url_credentials(url)
        return f"{scheme}{slashes}{self.folder / Path(path).expanduser()}"

    @property
    def store_folder(self) -> Path:
        """The folder of files that belong to the store: that of the SQLite file, else the state folder."""
        url = self.store_url
        path = url.partition(":///")[2].partition("?")[0]
        is_file = url.startswith("sqlite") and path not in {"", ":memory:"} and not path.startswith("file:")
        return Path(path).parent if is_file else state_folder()


class FixedSettings(Settings):
    """Settings that the environment does not override, for what must not touch the configured store."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        _ = settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)


def state_folder() -> Path:
    """The state folder: systemd's if it set one, else the user's."""
    state_directories = os.environ.get("STATE_DIRECTORY")
    return (
        Path(state_directories.partition(":")[0])
        if state_directories
        else platformdirs.user_state_path("firstcause")
    )


def load(path: Path | None) -> Settings:
    """Load the settings of `path`, else of $FIRSTCAUSE_CONFIG, else of ./config.toml, else the defaults.

    ConfigError: the file is missing, cannot be read, or holds mistakes; one line for each.
    """
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
        # pydantic-settings treats arguments that begin with an underscore as options of its own.
        if key == "folder" or key.startswith("_"):
            raise ConfigError(f"{source}: {key} is unknown; remove it")
    problems = find_unknown_variables(os.environ, Settings.model_fields.keys() - {"folder"})
    if problems:
        raise ConfigError("\n".join(problems))
    values = mark_file_keys(values, folder)
    for section, field in Settings.model_fields.items():
        # The plugins' tables wait for the models of the plugins, which are not loaded here.
        if section != "plugins" and isinstance(values.get(section), dict):
            values[section] = read_file_keys(values[section], field.annotation, f"{source}: [{section}]")
    try:
        # Set afterwards, as the environment would override an argument.
        return Settings(**values).model_copy(update={"folder": folder})
    except ValidationError as error:
        raise ConfigError("\n".join(_format_errors(error, source))) from None
    except SettingsError as error:
        raise ConfigError(_format_json_error(error)) from None


def _format_json_error(error: SettingsError) -> str:
    """Format the error for an environment variable that should hold JSON and does not."""
    value = getattr(error.__cause__, "doc", None)
    names = [
        name for name, text in os.environ.items() if name.upper().startswith(ENV_PREFIX) and text == value
    ]
    return f'the environment: {", ".join(names) or error}: lists and tables must be JSON, for example ["a"]'


def _format_errors(error: ValidationError, source: str) -> Iterator[str]:
    variables = {name.upper() for name in os.environ}
    for detail in error.errors(include_url=False, include_input=False):
        section, *rest = (str(part) for part in detail["loc"])
        key = ".".join(rest)
        location = f"{source}: [{section}] {key}" if rest else f"{source}: {section}"
        variable = _name_variable(section, *rest)
        problem = describe_settings_error(Settings, detail)
        if variable in variables:
            location = f"the environment: {variable}"
            replacement = find_replacement(Settings, detail)
            if replacement is not None and replacement.isidentifier():
                problem = f" was renamed; write {_name_variable(section, *rest[:-1], replacement)}"
        yield f"{location}{problem}{_ALL_KEYS_HINT if problem.endswith(' is unknown') else ''}"


def _name_variable(*keys: str) -> str:
    return f"{ENV_PREFIX}{'__'.join(keys)}".upper()
