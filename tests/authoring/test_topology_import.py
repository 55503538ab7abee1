"""Who calls whom, read from files that describe a deployment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from firstcause.authoring.topology_import import import_topology
from firstcause.errors import ConfigError
from firstcause.rulefiles.load import load

if TYPE_CHECKING:
    from pathlib import Path

COMPOSE = """
services:
  web:
    depends_on: [cart]
    environment: {USERS_URL: "http://users:8080", MODE: fast}
  cart: {environment: ["CACHE_HOST=cache-1"], depends_on: {broker: {condition: service_healthy}}}
  users: {}
  cache: {container_name: cache-1}
  broker:
"""
MANIFESTS = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: stock}
spec: {template: {spec: {containers: [{env: [{name: DB_URL, value: "postgres://main-db:5432/x"}]}]}}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: database}
spec: {}
---
apiVersion: v1
kind: Service
metadata: {name: main-db}
spec: {selector: {app: database}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: edge}
spec: {rules: [{http: {paths: [{backend: {service: {name: stock}}}]}}]}
"""
BACKSTAGE = """
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: mail}
spec: {dependsOn: ["resource:default/broker"], consumesApis: [users-api]}
"""


def _calls(folder: Path, text: str) -> set[tuple[str, str]]:
    path = folder / "file.yaml"
    path.write_text(text)
    return set(import_topology([path]).calls)


def test_a_compose_file_says_it_by_depends_on_and_by_its_settings(tmp_path: Path) -> None:
    assert _calls(tmp_path, COMPOSE) == {
        ("web", "cart"), ("web", "users"), ("cart", "broker"), ("cart", "cache"),
    }  # fmt: skip


def test_manifests_say_it_by_env_service_and_ingress(tmp_path: Path) -> None:
    assert {("edge", "stock"), ("stock", "main-db")} <= _calls(tmp_path, MANIFESTS)


def test_a_backstage_catalog_says_it_by_relations(tmp_path: Path) -> None:
    assert _calls(tmp_path, BACKSTAGE) == {("mail", "broker"), ("mail", "users-api")}


def test_the_result_is_a_rule_file_that_loads(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text(COMPOSE)
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "calls.yaml").write_text(import_topology([tmp_path / "compose.yaml"]).render())
    book = load([folder])
    assert book.site_depends_on["web"] == ("cart", "users")
    assert book.names.aliases["cache-1"] == "cache"


@pytest.mark.parametrize(
    ("text", "problem"),
    [("services: [", "no valid YAML"), ("just: words", "neither a Compose file"), ("\x00", "no valid YAML")],
)
def test_a_broken_file_is_named(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "file.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=problem):
        import_topology([path])
