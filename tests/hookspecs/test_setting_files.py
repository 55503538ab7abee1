"""Keys that name a file: the model decides whether they are a path or hold the path of a value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, SecretStr

import firstcause_host
import firstcause_http
import firstcause_mail
import firstcause_webhook
from firstcause.errors import ConfigError
from firstcause.hookspecs.setting_files import mark_file_keys, read_file_keys
from firstcause.plugins.manager import PluginManager

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "s3cret-word"


class Queue(BaseModel):
    model_config = ConfigDict(extra="forbid")

    password: SecretStr | None = None
    key: str | None = None
    key_file: str | None = None


class Config(BaseModel):
    model_config = ConfigDict(extra="forbid")

    token: SecretStr | None = None
    queues: dict[str, Queue] = Field(default_factory=dict)
    others: list[Queue] = Field(default_factory=list)
    main: Queue | None = None
    match: dict[str, Any] = Field(default_factory=dict)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    return tmp_path


def read(table: dict[str, Any], folder: Path) -> Config:
    return Config.model_validate(read_file_keys(mark_file_keys(table, folder), Config, "[plugins.q]"))


def test_a_field_without_a_path_field_is_read_at_any_depth(folder: Path) -> None:
    queue = {"password_file": "secret"}
    config = read(
        {"token_file": "secret", "queues": {"key": queue}, "others": [queue], "main": queue}, folder
    )
    assert config.token is not None
    assert config.main is not None
    passwords = [config.token, config.queues["key"].password, config.others[0].password, config.main.password]
    assert [each.get_secret_value() for each in passwords if each is not None] == [SECRET] * 4


def test_a_field_that_is_a_path_stays_one_and_is_absolute(folder: Path) -> None:
    config = read({"main": {"key_file": "nowhere.pem", "key": "x"}}, folder)
    assert config.main == Queue(key="x", key_file=str(folder / "nowhere.pem"))


def test_names_that_the_user_chooses_are_left_alone(folder: Path) -> None:
    config = read({"queues": {"log_file": {"key": "x"}}, "match": {"config_file": "secret"}}, folder)
    assert (set(config.queues), config.match) == ({"log_file"}, {"config_file": "secret"})


def test_headers_hold_secrets_and_may_name_files(folder: Path) -> None:
    table = mark_file_keys({"url": "http://127.0.0.1/", "headers": {"X-Key_file": "secret"}}, folder)
    read_table = read_file_keys(table, firstcause_webhook.Config, "[plugins.webhook]")
    assert read_table["headers"] == {"X-Key": SECRET}


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"token_file": "none"}, "[plugins.q] token_file: {folder}/none cannot be read: No such file"),
        ({"token_file": "secret", "token": "x"}, "[plugins.q] token and token_file are both given; keep one"),
        ({"queues": {"a": {"password_file": "none"}}}, "[plugins.q] queues a password_file: {folder}/none"),
    ],
)
def test_what_cannot_be_read_is_said_with_its_key(table: dict[str, Any], said: str, folder: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read(table, folder)
    assert str(caught.value).startswith(said.format(folder=folder))


def test_shipped_plugins_take_their_paths_and_their_secrets(folder: Path) -> None:
    host = PluginManager([])
    tables: dict[str, dict[str, Any]] = {
        "http": {"checks": {"intranet": {"url": "https://127.0.0.1/", "ca_file": "ca.pem"}}},
        "host": {"watch": True, "disks": {"data_file": "/"}},
        "mail": {
            "host": "mx",
            "from_address": "a@b",
            "to": ["c@d"],
            "username": "u",
            "password_file": "secret",
        },
    }
    for module in (firstcause_http, firstcause_host, firstcause_mail):
        name = module.__name__.removeprefix("firstcause_")
        host.register(module, name, mark_file_keys(tables[name], folder))
    assert [state.problems for state in host.states()] == [(), (), ()]
    assert {probe.name for probe in host.probes()} == {"intranet", "host"}
    assert SECRET in host.secrets()


def test_a_secret_file_that_is_missing_is_a_problem_of_its_plugin_only(folder: Path) -> None:
    host = PluginManager([])
    host.register(firstcause_mail, "mail", mark_file_keys({"password_file": "none"}, folder))
    host.register(firstcause_host, "host", {"watch": True})
    problems = {state.name: state.problems for state in host.states()}
    assert problems["host"] == ()
    assert problems["mail"] == (
        f"[plugins.mail] password_file: {folder}/none cannot be read: No such file or directory",
    )
    assert [probe.name for probe in host.probes()] == ["host"]
