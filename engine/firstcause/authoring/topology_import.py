"""Reads who calls whom from Compose files, Kubernetes manifests and Backstage catalogs, as a rule file."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from firstcause.core.topology.names import list_plain_names, to_component_name
from firstcause.core.topology.targets import find_targets
from firstcause.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

_MAX_BYTES = 10_000_000
_MAX_YAML_ALIASES = 10_000
_MAX_VISITED = 100_000
"""Values of one document that are looked at: aliases can make few bytes a huge tree."""
_WORKLOADS = {"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob", "Pod"}
_BACKSTAGE_KINDS = {"Component", "API", "Resource", "System"}
_HOST_SETTING = re.compile(
    r"(?:^|[_-])(?:hosts?|addr(?:ess)?|url|uri|endpoint|server|servers|dsn|broker|brokers)\Z", re.IGNORECASE
)
_HOST_VALUE = re.compile(r"(?:\w[\w+.-]*://)?(?:[^/\s@]*@)?([A-Za-z0-9][\w.-]*?)(?::\d+)?(?:[/?,].*)?")


@dataclass
class ImportedTopology:
    """What files say.

    calls: (caller, callee) -> the file that says it. aliases: component -> further names.
    """

    components: set[str] = field(default_factory=set)
    calls: dict[tuple[str, str], str] = field(default_factory=dict)
    aliases: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    pending: list[tuple[str, str, str]] = field(default_factory=list)

    def add_call(self, caller: str, callee: str, source: str) -> None:
        if caller != callee:
            self.calls.setdefault((caller, callee), source)

    def render(self) -> str:
        """Render a rule file with each call and the place that says it."""
        lines = [
            "# Written by `firstcause topology import`. Review it, then put it into [rules] paths.",
            "component: imported-topology",
        ]
        by_caller: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for (caller, callee), source in sorted(self.calls.items()):
            by_caller[caller].append((callee, source))
        lines.append("topology:" if by_caller else "topology: {}")
        for caller, callees in by_caller.items():
            lines.append(f"  {_quote_name(caller)}:")
            lines += [f"    - {_quote_name(callee)}  # {source}" for callee, source in callees]
        named = {name: sorted(others - {name}) for name, others in sorted(self.aliases.items())}
        if any(named.values()):
            lines.append("aliases:")
            lines += [
                f"  {_quote_name(name)}: [{', '.join(map(_quote_name, others))}]"
                for name, others in named.items()
                if others
            ]
        return "\n".join(lines) + "\n"


def _quote_name(name: str) -> str:
    is_plain = re.fullmatch(r"[A-Za-z][\w.-]*", name) and name.lower() not in {
        "yes",
        "no",
        "on",
        "off",
        "true",
        "false",
        "null",
        "y",
        "n",
    }
    return name if is_plain else '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def import_topology(paths: Iterable[Path]) -> ImportedTopology:
    """Read the files. ConfigError: a file cannot be read or is none of the three kinds."""
    topology = ImportedTopology()
    for path in paths:
        documents = _read_documents(path)
        known = [_read_document(topology, document, path.name) for document in documents]
        if not any(known):
            msg = f"{path}: neither a Compose file, nor Kubernetes manifests, nor a Backstage catalog"
            raise ConfigError(msg)
    for caller, value, source in topology.pending:
        for name in _list_hosts(value):
            callee = _match_component(topology, name)
            if callee is not None:
                topology.add_call(caller, callee, source)
    return topology


def _read_documents(path: Path) -> list[dict[str, Any]]:
    try:
        content = path.read_bytes()
        if len(content) > _MAX_BYTES:
            msg = f"{path}: larger than 10 MB; split the file"
            raise ConfigError(msg)
        if content.count(b"*") > _MAX_YAML_ALIASES:
            msg = f"{path}: too many YAML aliases; write the values out"
            raise ConfigError(msg)
        loaded = list(yaml.load_all(content, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    except OSError as error:
        msg = f"{path}: cannot be read: {error.strerror}; correct the path"
        raise ConfigError(msg) from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        where = getattr(error, "problem_mark", None)
        place = f"{path}:{where.line + 1}" if where is not None else str(path)
        problem = getattr(error, "problem", None) or type(error).__name__
        msg = f"{place}: no valid YAML ({problem}); correct the file"
        raise ConfigError(msg) from error
    documents: list[dict[str, Any]] = []
    for item in loaded:
        nested = (
            item.get("items") if isinstance(item, dict) and str(item.get("kind")).endswith("List") else None
        )
        documents += [
            each for each in (nested if isinstance(nested, list) else [item]) if isinstance(each, dict)
        ]
    return documents


def _read_document(topology: ImportedTopology, document: Mapping[str, Any], source: str) -> bool:
    kind = document.get("kind")
    if isinstance(document.get("services"), dict) and kind is None:
        _read_compose(topology, document["services"], source)
    elif kind in _BACKSTAGE_KINDS and "backstage" in str(document.get("apiVersion")):
        _read_backstage(topology, document, source)
    elif isinstance(kind, str) and "apiVersion" in document:
        _read_manifest(topology, document, source)
    else:
        return False
    return True


def _read_compose(topology: ImportedTopology, services: Mapping[str, Any], source: str) -> None:
    for name, service in services.items():
        body = service if isinstance(service, dict) else {}
        topology.components.add(str(name))
        for other in (body.get("container_name"), body.get("hostname")):
            if isinstance(other, str):
                topology.aliases[str(name)].add(other)
        for key in ("depends_on", "links"):
            for callee in body.get(key) or ():
                topology.add_call(str(name), str(callee).partition(":")[0], f"{source}, {key}")
        environment = body.get("environment") or {}
        pairs = (
            environment.items()
            if isinstance(environment, dict)
            else (str(each).partition("=")[::2] for each in environment if isinstance(environment, list))
        )
        for setting, value in pairs:
            _note_setting(topology, str(name), str(setting), value, source)


def _note_setting(topology: ImportedTopology, caller: str, setting: str, value: object, source: str) -> None:
    if isinstance(value, str) and ("://" in value or _HOST_SETTING.search(setting) or ":" in value):
        topology.pending.append((caller, value[:2000], f"{source}, {setting}"))


def _list_hosts(value: str) -> list[str]:
    hosts = [target.host for target in find_targets(value)]
    for part in value.split(","):
        matched = _HOST_VALUE.fullmatch(part.strip())
        if matched:
            hosts.append(matched[1])
    return hosts


def _match_component(topology: ImportedTopology, name: str) -> str | None:
    by_alias = {alias: owner for owner, others in topology.aliases.items() for alias in others}
    for each in list_plain_names(name):
        if each in topology.components:
            return each
        if each in by_alias:
            return by_alias[each]
    return None


def _read_backstage(topology: ImportedTopology, document: Mapping[str, Any], source: str) -> None:
    name = _read_name(document)
    spec = document.get("spec")
    if name is None or not isinstance(spec, dict):
        return
    topology.components.add(name)
    for key in ("dependsOn", "consumesApis"):
        for reference in spec.get(key) or ():
            callee = str(reference).rpartition("/")[2].rpartition(":")[2]
            topology.add_call(name, callee, f"{source}, {key}")
    for api in spec.get("providesApis") or ():
        topology.aliases[name].add(str(api).rpartition("/")[2].rpartition(":")[2])


def _read_name(document: Mapping[str, Any]) -> str | None:
    metadata = document.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return name if isinstance(name, str) and name else None


def _read_manifest(topology: ImportedTopology, document: Mapping[str, Any], source: str) -> None:
    name, spec = _read_name(document), document.get("spec")
    if name is None or not isinstance(spec, dict):
        return
    kind = document["kind"]
    if kind in _WORKLOADS or kind == "Service":
        topology.components.add(name)
    if kind in _WORKLOADS:
        for setting, value in _iter_settings(spec):
            _note_setting(topology, name, setting, value, source)
    elif kind == "Service":
        _read_service(topology, name, spec, source)
    elif kind == "Ingress":
        for backend in _iter_values(spec, "service", "serviceName"):
            callee = backend.get("name") if isinstance(backend, dict) else backend
            if isinstance(callee, str):
                topology.add_call(name, callee, f"{source}, Ingress")
    elif kind == "NetworkPolicy":
        _read_network_policy(topology, name, spec, source)


def _read_service(topology: ImportedTopology, name: str, spec: Mapping[str, Any], source: str) -> None:
    selector = spec.get("selector")
    labels = selector if isinstance(selector, dict) else {}
    workload = labels.get("app") or labels.get("app.kubernetes.io/name")
    if isinstance(workload, str) and workload != name:
        topology.aliases[workload].add(name)
    if isinstance(spec.get("externalName"), str):
        topology.add_call(name, to_component_name(spec["externalName"]) or name, f"{source}, externalName")


def _read_network_policy(topology: ImportedTopology, name: str, spec: Mapping[str, Any], source: str) -> None:
    own = next(iter(_iter_values(spec.get("podSelector"), "app", "app.kubernetes.io/name")), name)
    for caller in _iter_values(spec.get("ingress"), "app", "app.kubernetes.io/name"):
        if isinstance(caller, str):
            topology.add_call(caller, str(own), f"{source}, NetworkPolicy")
    for callee in _iter_values(spec.get("egress"), "app", "app.kubernetes.io/name"):
        if isinstance(callee, str):
            topology.add_call(str(own), callee, f"{source}, NetworkPolicy")


def _iter_settings(spec: object) -> Iterator[tuple[str, object]]:
    for variables in _iter_values(spec, "env"):
        for variable in variables if isinstance(variables, list) else ():
            if isinstance(variable, dict) and isinstance(variable.get("name"), str):
                yield variable["name"], variable.get("value")


def _iter_values(tree: object, *names: str) -> Iterator[Any]:
    """Yield the values of these keys, wherever they are in a tree."""
    queue, visited = [tree], 0
    while queue and visited < _MAX_VISITED:
        visited += 1
        node = queue.pop()
        if isinstance(node, dict):
            for key, value in node.items():
                if key in names:
                    yield value
                queue.append(value)
        elif isinstance(node, list):
            queue += node
