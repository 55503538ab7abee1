"""config.toml, the environment over it; every mistake is one clear line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import firstcause_twilio
from firstcause.config import Settings, load
from firstcause.core.model import Priority
from firstcause.core.privacy.personal import PersonalData
from firstcause.errors import ConfigError
from firstcause.hookspecs.setting_files import read_file_keys

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import BaseModel

SECRET = "hunter2-Sup3rS3cret"
NOT_READ = "unable to parse string as"
ROUTE = "[[notify.routes]]\nnotifiers = ['a']\n"


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Writes a config.toml in a folder that is not the current one."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    folder = tmp_path / "etc"
    folder.mkdir()

    def write(text: str) -> Path:
        path = folder / "config.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def mistake(path: Path | None) -> str:
    with pytest.raises(ConfigError) as raised:
        load(path)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__ or raised.value.__context__ is None
    return str(raised.value)


def test_an_empty_file_is_all_defaults(config: Any, tmp_path: Path) -> None:
    settings = load(config(""))
    assert (settings.web.host, settings.web.port) == ("127.0.0.1", 8377)
    assert settings.rules.paths == ("shipped",)
    assert settings.notify.routes == ()
    assert settings.plugins == {}
    assert settings.store_url == f"sqlite:///{tmp_path}/state/firstcause/firstcause.db"


def test_personal_data_to_mask_is_named_by_kind(config: Any) -> None:
    assert load(config("")).privacy.mask_personal_data == (PersonalData.CARDS,)
    settings = load(config("[privacy]\nmask_personal_data = ['ibans', 'emails']"))
    assert settings.privacy.mask_personal_data == (PersonalData.IBANS, PersonalData.EMAILS)
    assert "'cards', 'ibans' or 'emails'" in mistake(config("[privacy]\nmask_personal_data = ['phones']"))


def test_no_file_is_all_defaults_too(config: Any) -> None:
    config("[web]\nport = 1")
    settings = load(None)
    assert settings.web.port == 8377
    assert settings.folder == Path.cwd()


def test_the_file_is_the_one_named_else_the_environments_else_the_current_folders(
    config: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = config("[web]\nport = 1")
    other = tmp_path / "other.toml"
    other.write_text("[web]\nport = 2", encoding="utf-8")
    Path("config.toml").write_text("[web]\nport = 3", encoding="utf-8")
    assert load(None).web.port == 3
    monkeypatch.setenv("FIRSTCAUSE_CONFIG", str(other))
    assert load(None).web.port == 2
    assert load(named).web.port == 1
    assert load(named).folder == named.parent


A_ROUTE = "[[notify.routes]]\nname = 'a'\nnotifiers = ['x']\n"
B_ROUTE = "[[notify.routes]]\nname = 'b'\nnotifiers = ['x']\n"


def test_everything_can_be_said(config: Any) -> None:
    settings = load(
        config("""
        [store]
        url = "postgresql://fc@db/fc"
        max_bytes = "1.5 GiB"
        [web]
        host = "0.0.0.0"
        [rules]
        paths = ["shipped", "rules"]
        thresholds = {queue = 100}
        [intake]
        resolve_after = "1h30m"
        [notify]
        group_wait = "5s"
        [[notify.routes]]
        name = "night"
        notifiers = ["sms", "console"]
        priorities = ["P0"]
        continue = true
        [[notify.routes]]
        notifiers = ["console"]
        [health]
        interval = 30
        [plugins.twilio]
        from_number = "+15550100"
        """)
    )
    assert settings.store_url == "postgresql://fc@db/fc"
    assert settings.store.max_bytes == 3 * 512 * 1024 * 1024
    assert settings.rules.thresholds == {"queue": 100.0}
    assert settings.intake.resolve_after == 5400
    assert settings.notify.routes[0].priorities == (Priority.P0,)
    assert [route.then_continue for route in settings.notify.routes] == [True, False]
    assert settings.health.interval == 30
    assert settings.plugins == {"twilio": {"from_number": "+15550100"}}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[web]\nprot = 1", "[web] prot is unknown; did you mean port?"),
        ("[wbe]\nport = 1", "wbe is unknown; did you mean web?"),
        ("[web]\nzzzzz = 1", "[web] zzzzz is unknown; config.toml of `init` has all keys"),
        ("[web]\nport = 70000", "[web] port: Input should be less than or equal to 65535"),
        ("[web]\nport = 'x'", f"[web] port: Input should be a valid integer, {NOT_READ} an integer"),
        ("[store]\nurl = 7", "[store] url: Input should be a valid string"),
        (
            "[store]\nmax_bytes = '1,000 MB'",
            "[store] max_bytes: '1,000 MB' is not a size; use for example 500 MB or 10 GiB",
        ),
        ("[intake]\nmax_event_bytes = 0", "[intake] max_event_bytes: Input should be greater than 0"),
        (
            "[notify]\ngroup_wait = 'soon'",
            "[notify] group_wait: 'soon' is not a duration; use for example 30s, 5m, 1h30m",
        ),
        ("[[notify.routes]]\nname = 'a'", "[notify] routes.0.notifiers: Field required"),
        (
            f"{A_ROUTE}escalate_to = 'b'",
            "notify: route 'a': escalate_to names an unknown route 'b'; known routes: a",
        ),
        (
            f"{A_ROUTE}escalate_to = 'b'\n{B_ROUTE}escalate_to = 'a'",
            "notify: escalate_to forms a cycle: a -> b -> a; remove one of them",
        ),
        (
            A_ROUTE * 2,
            "notify: two routes are named 'a'; give each a name of its own",
        ),
        (
            f"{A_ROUTE}quiet_hours = {{from = '22:00', to = '07:00', timezone = 'Mars'}}",
            (
                "[notify] routes.0.quiet_hours.timezone: "
                "'Mars' is not a time zone; use for example Europe/Berlin"
            ),
        ),
        (
            f"{A_ROUTE}quiet_hours = {{from = '22:00', to = '22:00'}}",
            (
                "[notify] routes.0.quiet_hours: from and to are both 22:00, so that the quiet hours have no "
                "length; give two different times, or remove quiet_hours"
            ),
        ),
        (
            "[notify.limits.sms]\nmax = 0",
            "[notify] limits.sms.max: Input should be greater than or equal to 1",
        ),
        (
            "[[notify.routes]]\nnotifiers = []",
            "[notify] routes.0.notifiers: Tuple should have at least 1 item after validation, not 0",
        ),
        (
            ROUTE + "continu = true",
            "[notify] routes.0.continu is unknown; did you mean continue?",
        ),
        (
            ROUTE + "then_continue = true",
            "[notify] routes.0.then_continue is unknown; did you mean continue?",
        ),
        (ROUTE + "priorities = ['P7']", "[notify] routes.0.priorities.0: Input should be 'P0', 'P1' or 'P2'"),
        ("[intake]\nquiet_after = '1d'", "[intake] quiet_after was renamed; write resolve_after"),
        ("[intake]\nkinds = 5", "[intake] kinds was renamed; write max_uncatalogued_per_service"),
        ("[topology]\nlearned_for = '1d'", "[topology] learned_for was renamed; write learned_ttl"),
        ("[health]\nkeep_whole = '1d'", "[health] keep_whole was renamed; write full_resolution"),
        (
            "[health.budgets.sms]\nerrors = 1\nover = '1d'",
            "[health] budgets.sms.over was renamed; write window",
        ),
        (
            ROUTE + "direct = false",
            "[notify] routes.0.direct was renamed; write escalation_only = true instead of direct = false",
        ),
        ("web = 3", "web: Input should be a valid dictionary or instance of Web"),
        ("plugins = 3", "plugins: Input should be a valid dictionary"),
        ("[plugins]\ntwilio = 3", "[plugins] twilio: Input should be a valid dictionary"),
        ("folder = '/tmp'", "folder is unknown; remove it"),
        ("folde = '/tmp'", "folde is unknown; config.toml of `init` has all keys"),
        ("_env_prefix = 'OTHER_'", "_env_prefix is unknown; remove it"),
        ("[store]\nurl = 'a'\nurl_file = 'b'", "[store] url and url_file are both given; keep one"),
    ],
)
def test_each_mistake_is_one_line_with_its_place_and_the_mend(config: Any, text: str, said: str) -> None:
    path = config(text)
    assert mistake(path) == f"{path}: {said}"


def test_all_mistakes_are_told_at_once(config: Any) -> None:
    path = config("[web]\nprot = 1\nport = -1\n[helth]\ninterval = 1")
    assert sorted(mistake(path).splitlines()) == [
        f"{path}: [web] port: Input should be greater than or equal to 0",
        f"{path}: [web] prot is unknown; did you mean port?",
        f"{path}: helth is unknown; did you mean health?",
    ]


def test_what_is_no_toml_is_told_with_its_line(config: Any) -> None:
    path = config("[web]\nport = = 1")
    said = mistake(path)
    assert said.startswith(f"{path}: ")
    assert "line 2" in said
    assert "\n" not in said


def test_what_is_no_text_or_cannot_be_read_is_told(config: Any) -> None:
    path = config("")
    path.write_bytes(b"\xff\xfe")
    assert mistake(path).startswith(f"{path} cannot be read: ")


@pytest.mark.parametrize("by_environment", [True, False])
def test_a_file_that_was_named_must_be_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by_environment: bool
) -> None:
    path = tmp_path / "none.toml"
    if by_environment:
        monkeypatch.setenv("FIRSTCAUSE_CONFIG", str(path))
    assert mistake(None if by_environment else path) == (
        f"no configuration at {path}; `firstcause init` writes one"
    )


# The environment


def test_the_environment_stands_over_the_file(config: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    path = config('[web]\nport = 1\nhost = "0.0.0.0"\n[plugins.twilio]\naccount = "a"\ntoken = "b"')
    monkeypatch.setenv("FIRSTCAUSE_WEB__PORT", "9000")
    monkeypatch.setenv("FIRSTCAUSE_STORE__URL", "postgresql://fc@db/fc")
    monkeypatch.setenv("FIRSTCAUSE_NOTIFY__GROUP_WAIT", "2m")
    monkeypatch.setenv("FIRSTCAUSE_RULES__PATHS", '["mine"]')
    monkeypatch.setenv("FIRSTCAUSE_PLUGINS__TWILIO__TOKEN", "c")
    settings = load(path)
    assert (settings.web.host, settings.web.port) == ("0.0.0.0", 9000)
    assert settings.store.url == "postgresql://fc@db/fc"
    assert settings.notify.group_wait == 120
    assert settings.rules.paths == ("mine",)
    assert settings.plugins == {"twilio": {"account": "a", "token": "c"}}


def test_the_environment_is_enough(config: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIRSTCAUSE_HEALTH__INTERVAL", "10s")
    monkeypatch.setenv("FIRSTCAUSE_PLUGINS__TWILIO__TOKEN", "c")
    settings = load(None)
    assert settings.health.interval == 10
    assert settings.plugins == {"twilio": {"token": "c"}}


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        (
            "FIRSTCAUSE_WEB__PORT",
            "many",
            "the environment: FIRSTCAUSE_WEB__PORT: Input should be a valid integer",
        ),
        (
            "FIRSTCAUSE_INTAKE__QUIET_AFTER",
            "1d",
            (
                "the environment: FIRSTCAUSE_INTAKE__QUIET_AFTER was renamed; "
                "write FIRSTCAUSE_INTAKE__RESOLVE_AFTER"
            ),
        ),
        ("FIRSTCAUSE_WEB__PROT", "1", "the environment: FIRSTCAUSE_WEB__PROT is unknown; did you mean port?"),
    ],
)
def test_a_mistake_in_the_environment_is_told_as_its_variable(
    config: Any, monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(name, value)
    assert mistake(config("[web]\nport = 1")).startswith(said)


def test_a_list_in_the_environment_that_is_no_json_is_told(
    config: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIRSTCAUSE_RULES__PATHS", "mine")
    said = 'the environment: FIRSTCAUSE_RULES__PATHS: lists and tables must be JSON, for example ["a"]'
    assert mistake(config("")) == said


def test_the_folder_is_where_the_file_is_whatever_the_environment_says(
    config: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = config("")
    assert load(path).folder == path.parent
    monkeypatch.setenv("FIRSTCAUSE_FOLDER", "/somewhere/else")
    assert mistake(path).startswith("the environment: FIRSTCAUSE_FOLDER is unknown")


def test_the_log_has_a_format_and_a_level(config: Any) -> None:
    assert (load(config("")).log.format, load(config("")).log.level) == ("text", "info")
    log = load(config('[log]\nformat = "JSON"\nlevel = "warning"')).log
    assert (log.format, log.level) == ("json", "warning")
    assert "[log] format" in mistake(config('[log]\nformat = "xml"'))


# Secrets in files


def test_a_secret_can_come_from_a_file_beside_the_configuration(config: Any) -> None:
    path = config("""
        [store]
        url_file = "url"
        [web]
        token_file = "web-token"
        [plugins.twilio]
        auth_token_file = "token"
        env_file = "app.env"
        [intake.tokens.shop]
        token_file = "token"
    """)
    (path.parent / "token").write_text(f"{SECRET}\n", encoding="utf-8")
    (path.parent / "url").write_text("postgresql://fc:x@db/fc\n", encoding="utf-8")
    settings = load(path)
    assert settings.store.url == "postgresql://fc:x@db/fc"
    assert settings.web.token_file == str(path.parent / "web-token")
    assert settings.intake.tokens["shop"].token.get_secret_value() == SECRET
    twilio = _read_plugin_table(settings, firstcause_twilio.Config)
    assert twilio == {"auth_token": SECRET, "env_file": str(path.parent / "app.env")}


def _read_plugin_table(settings: Settings, model: type[BaseModel]) -> dict[str, Any]:
    return read_file_keys(settings.plugins["twilio"], model, "[plugins.twilio]")


def test_an_absolute_path_stays_and_the_environment_stands_over_the_file_too(
    config: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("from the file", encoding="utf-8")
    path = config(f'[plugins.twilio]\nauth_token_file = "{secret}"')
    model = firstcause_twilio.Config
    assert _read_plugin_table(load(path), model) == {"auth_token": "from the file"}
    monkeypatch.setenv("FIRSTCAUSE_PLUGINS__TWILIO__AUTH_TOKEN", "from the environment")
    assert _read_plugin_table(load(path), model) == {"auth_token": "from the environment"}
    monkeypatch.delenv("FIRSTCAUSE_PLUGINS__TWILIO__AUTH_TOKEN")
    monkeypatch.setenv("FIRSTCAUSE_PLUGINS__TWILIO__AUTH_TOKEN_FILE", str(secret))
    assert _read_plugin_table(load(config("")), model) == {"auth_token": "from the file"}


def test_a_secret_file_that_is_not_there_is_told_with_key_and_path(config: Any) -> None:
    path = config('[store]\nurl_file = "url"\n[intake.tokens.shop]\ntoken_file = "url"')
    assert mistake(path) == (
        f"{path}: [store] url_file: {path.parent / 'url'} cannot be read: No such file or directory"
    )


def test_a_secret_file_that_is_no_text_is_told_without_its_bytes(config: Any) -> None:
    path = config('[store]\nurl_file = "url"')
    (path.parent / "url").write_bytes(SECRET.encode() + b"\xff")
    assert mistake(path) == (
        f"{path}: [store] url_file: {path.parent / 'url'} cannot be read: it is not UTF-8 text"
    )


@pytest.mark.parametrize(
    "text",
    [
        f'[store]\nurl = ["{SECRET}"]',
        f'[store]\nurl = {{password = "{SECRET}"}}',
        f'store = "{SECRET}"',
        f'[web]\nport = "{SECRET}"',
        f'[web]\ntoken = "{SECRET}"',
        f'[web]\ntoken_file = ["{SECRET}"]',
        f'plugins = ["{SECRET}"]',
        f'[plugins]\ntwilio = "{SECRET}"',
        f'[store]\nurl = "{SECRET}',
        f"[store]\nurl = {SECRET}",
        f'[[notify.routes]]\nnotifiers = {{a = "{SECRET}"}}',
    ],
)
def test_no_mistake_shows_a_value(config: Any, text: str) -> None:
    assert SECRET not in mistake(config(text))


@pytest.mark.parametrize(
    "name", ["WEB__PORT", "RULES__PATHS", "STORE", "PLUGINS", "PLUGINS__TWILIO", "WEB__TOKEN"]
)
def test_no_mistake_shows_a_value_of_the_environment(
    config: Any, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(f"FIRSTCAUSE_{name}", SECRET)
    assert SECRET not in mistake(config(""))


# Paths


@pytest.mark.parametrize(
    ("url", "opened"),
    [
        ("sqlite:///errors.db", "sqlite:///{folder}/errors.db"),
        ("sqlite:///../var/errors.db?timeout=3", "sqlite:///{folder}/../var/errors.db?timeout=3"),
        ("sqlite:////var/lib/errors.db", "sqlite:////var/lib/errors.db"),
        ("sqlite:///:memory:", "sqlite:///:memory:"),
        ("sqlite://", "sqlite://"),
        ("sqlite+pysqlite:///a.db", "sqlite+pysqlite:///{folder}/a.db"),
        ("postgresql:///errors", "postgresql:///errors"),
        ("postgresql://fc:a:///b@db/errors", "postgresql://fc:a%3A%2F%2F%2Fb@db/errors"),
    ],
)
def test_a_database_file_is_relative_to_the_configuration(config: Any, url: str, opened: str) -> None:
    path = config(f'[store]\nurl = "{url}"')
    assert load(path).store_url == opened.format(folder=path.parent)


def test_a_relative_configuration_still_gives_an_absolute_folder(
    config: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config("")
    monkeypatch.chdir(tmp_path)
    assert load(Path("etc/config.toml")).folder == tmp_path / "etc"


def test_systemds_state_folder_is_taken_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/firstcause:/var/lib/other")
    assert Settings().store_url == "sqlite:////var/lib/firstcause/firstcause.db"
