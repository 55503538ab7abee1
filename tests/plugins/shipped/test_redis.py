"""The Redis probe against Redis servers of its own."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError

import firstcause_redis
from firstcause import MALFORMED_URL, Probe, Reading, Status
from support.certificate_chain import Authority
from support.database_servers import RedisServer, free_port, run_server
from support.swallowing_address import resolve_to_swallowing_first

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with run_server(RedisServer) as made:
        yield made


def probe(url: str, **settings: object) -> Probe:
    table = {"servers": {"redis": {"url": url, "timeout": 1.0} | settings}}
    (made,) = firstcause_redis.firstcause_probes(firstcause_redis.Config.model_validate(table))
    return made


def codes(reading: Reading) -> set[str | None]:
    return {reading.code, *(each.code for each in reading.problems)} - {None}


def test_up_down_and_up_again_over_one_connection(server: RedisServer) -> None:
    watched = probe(server.url)
    assert (watched.name, watched.component, watched.code) == ("redis", "redis", "REDIS_CONNECTION_ERROR")
    first = watched.check()
    assert (first.status, first.detail) == (Status.UP, "PONG")
    assert {"used_memory_bytes", "connected_clients", "clients_share", "version", "role"} <= first.data.keys()
    for _ in range(5):
        assert watched.check().status is Status.UP
    with server.client() as client:
        assert [each["name"] for each in client.client_list()].count("firstcause") == 1
    server.down()
    gone = watched.check()
    assert (gone.status, gone.code) == (Status.DOWN, "REDIS_CONNECTION_ERROR")
    assert "refused" in gone.detail
    server.up()
    assert watched.check().status is Status.UP


def test_one_that_answers_nothing_is_down_within_its_time(server: RedisServer) -> None:
    watched = probe(server.url, timeout=0.3)
    assert watched.check().status is Status.UP
    server.freeze()
    began = time.monotonic()
    frozen = watched.check()
    assert (frozen.status, frozen.code) == (Status.DOWN, "REDIS_CONNECTION_ERROR")
    assert time.monotonic() - began < watched.timeout
    server.thaw()
    assert watched.check().status is Status.UP


def test_a_slow_answer_is_degraded(server: RedisServer) -> None:
    watched = probe(server.url, degraded_ms=50, timeout=5)
    watched.check()
    server.freeze()
    threading.Timer(0.3, server.thaw).start()
    slow = watched.check()
    assert (slow.status, slow.code) == (Status.DEGRADED, "REDIS_SLOW")
    assert slow.latency_ms is not None
    assert slow.latency_ms > 50


def test_a_wrong_password_is_named_so_and_never_shown() -> None:
    with run_server(lambda folder: RedisServer(folder, "--requirepass", "open-sesame")) as server:
        assert probe(server.url).check().status is Status.UP
        for wrong in ("not-the-word", ""):
            refused = probe(server.url.replace("open-sesame", wrong)).check()
            assert (refused.status, refused.code) == (Status.DOWN, "REDIS_AUTH_FAILED")
            assert "not-the-word" not in refused.model_dump_json()
    config = firstcause_redis.Config.model_validate({"servers": {"redis": {"url": server.url}}})
    assert "open-sesame" not in repr(config)


def test_memory_evictions_and_the_slow_log(server: RedisServer) -> None:
    watched = probe(server.url, memory_share=0.5, slow_commands=3)
    assert watched.check().data.get("evicted_keys") is None
    with server.client() as client:
        client.config_set("maxmemory", "12mb")
        for number in range(3):
            client.set(f"large {number}", b"x" * 2_000_000)
        # A busy machine may be slow besides.
        assert codes(watched.check()) - {"REDIS_SLOW"} == {"REDIS_OUT_OF_MEMORY"}
        client.config_set("maxmemory-policy", "allkeys-lru")
        assert watched.check().status is Status.UP
        for number in range(200):
            client.set(f"key {number}", b"x" * 50_000)
        evicting = watched.check()
        assert codes(evicting) == {"REDIS_EVICTIONS"}
        assert int(str(evicting.data["evicted_keys"])) > 0
        client.config_set("slowlog-log-slower-than", 0)
        for _ in range(10):
            client.ping()
        assert "REDIS_SLOW" in codes(watched.check())
        client.config_set("slowlog-log-slower-than", -1)
        watched.check()
        assert watched.check().status is Status.UP


def test_no_connection_left(server: RedisServer) -> None:
    watched = probe(server.url, clients_share=0.3)
    with server.client() as client:
        client.config_set("maxclients", 10)
        held = [server.client() for _ in range(5)]
        for each in held:
            each.ping()
        assert codes(watched.check()) == {"REDIS_MAX_CLIENTS"}
        for each in held:
            each.close()


def test_a_snapshot_that_failed() -> None:
    with run_server(RedisServer) as server, server.client() as client:
        client.set("key", "value")
        (server.folder / "dump.rdb").mkdir()
        client.bgsave()
        watched = probe(server.url)
        deadline = time.monotonic() + 10
        while (reading := watched.check()).status is Status.UP and time.monotonic() < deadline:
            time.sleep(0.1)
        assert (reading.status, reading.code) == (Status.DEGRADED, "REDIS_PERSISTENCE_FAILED")


def test_a_replica_that_lost_its_master(server: RedisServer) -> None:
    with run_server(RedisServer) as replica, replica.client() as client:
        client.replicaof("127.0.0.1", str(server.port))
        watched = probe(replica.url)
        deadline = time.monotonic() + 20
        while (reading := watched.check()).status is not Status.UP and time.monotonic() < deadline:
            time.sleep(0.1)
        assert (reading.status, reading.data["role"]) == (Status.UP, "slave")
        server.down()
        while (reading := watched.check()).status is Status.UP and time.monotonic() < deadline:
            time.sleep(0.1)
        assert (reading.status, reading.detail) == (Status.DEGRADED, "the replica has no way to its master")


def test_a_server_without_hello_and_a_user_who_may_do_little() -> None:
    with (
        run_server(lambda folder: RedisServer(folder, "--rename-command", "HELLO", "")) as server,
        server.client() as client,
    ):
        assert probe(server.url).check().status is Status.UP
        client.acl_setuser("watch", enabled=True, passwords=["+open-sesame"], commands=["+ping", "+info"])
        watched = probe(server.url.replace("127.0.0.1", "watch:open-sesame@127.0.0.1"))
        for _ in range(2):
            reading = watched.check()
            assert (reading.status, reading.code) == (Status.UP, None), reading.detail
        assert "used_memory_bytes" in reading.data


@pytest.mark.parametrize("password", ["Sup3r#Tail", "Sup3r/Tail", "Sup3r?Tail", "Sup3r@Tail", "50%:Tail"])
def test_a_password_works_as_it_is_written_and_is_never_shown(password: str) -> None:
    with run_server(RedisServer) as server, server.client() as client:
        client.acl_setuser("app", enabled=True, passwords=[f"+{password}"], categories=["+@all"])
        assert probe(f"redis://app:{password}@127.0.0.1:{server.port}/0").check().status is Status.UP
        wrong = probe(f"redis://app:{password}x@127.0.0.1:{server.port}/0").check()
        assert wrong.code == "REDIS_AUTH_FAILED"
    gone = probe(f"redis://app:{password}@127.0.0.1:{server.port}/0").check()
    for reading in (wrong, gone):
        assert "Tail" not in reading.model_dump_json()
        assert "Sup3r" not in reading.model_dump_json()


def test_a_url_that_cannot_be_read_shows_nothing_of_itself() -> None:
    reading = probe("redis://app:Sup3r").check()
    assert (reading.status, reading.code, reading.detail) == (
        Status.DOWN, "REDIS_CONNECTION_ERROR", MALFORMED_URL,
    )  # fmt: skip


def test_an_address_that_swallows_does_not_hold_up_the_one_that_works(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with resolve_to_swallowing_first("cache.example", server.port, monkeypatch):
        began = time.monotonic()
        watched = probe(server.url.replace("127.0.0.1", "cache.example"), timeout=20)
        assert watched.check().status is Status.UP
        assert time.monotonic() - began < 15


def test_redis_behind_tls(tmp_path: Path) -> None:
    authority = Authority("Root", 90)
    (tmp_path / "ca.pem").write_text(authority.pem)
    path = authority.write_server_certificate(tmp_path, 90)

    def make(folder: Path) -> RedisServer:
        tls_port = str(free_port())
        options = ("--tls-port", tls_port, "--tls-cert-file", str(path), "--tls-key-file", str(path))
        return RedisServer(folder, *options, "--tls-ca-cert-file", str(path), "--tls-auth-clients", "no")

    with run_server(make) as server, server.client() as client:
        url = f"rediss://127.0.0.1:{client.config_get('tls-port')['tls-port']}/0"
        assert probe(f"{url}?ssl_ca_certs={tmp_path / 'ca.pem'}").check().status is Status.UP
        refused = probe(url).check()
        assert refused.status is Status.DOWN
        assert "certificate verify failed" in refused.detail


def test_an_address_that_is_none_is_said() -> None:
    assert probe("redis//nothing").check().status is Status.DOWN
    with pytest.raises(ValidationError):
        firstcause_redis.Config.model_validate({"servers": {"redis": {}}})
    assert firstcause_redis.firstcause_probes(firstcause_redis.Config()) == []
