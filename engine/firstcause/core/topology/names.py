"""Names of components: which of them are names of one thing."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MAX_NAME_LENGTH = 120
"""Characters of a component's name; of a longer one a digest tells the rest."""

_PORT = re.compile(r":\d{1,5}\Z")
_CLUSTER_DOMAIN = re.compile(r"\.(?:[a-z0-9-]+\.)?(?:svc|pod)(?:\.cluster\.local|\.[a-z.]+)?\Z")
# A Deployment's pod: hash of the template, then five characters. A StatefulSet's: an ordinal.
_POD_SUFFIX = re.compile(r"-[0-9a-f]{6,10}-[a-z0-9]{5}\Z|-[bcdfghjklmnpqrstvwxz2456789]{8,10}-[a-z0-9]{5}\Z")
_REPLICA_SUFFIX = re.compile(r"-(?:[0-9a-f]{4,10}|\d{1,4})\Z")
_KIND_SUFFIX = re.compile(
    r"(?<=.)(?:[-_.]?(?:service|svc|server)|[-_.](?:api|app|deployment|prod|production))\Z"
)


def shorten_name(name: str) -> str:
    """Return the name, at most MAX_NAME_LENGTH characters; a digest stands for what is cut off."""
    if len(name) <= MAX_NAME_LENGTH:
        return name
    digest = hashlib.blake2b(name.encode("utf-8", "replace"), digest_size=4).hexdigest()
    return f"{name[: MAX_NAME_LENGTH - len(digest) - 1]}~{digest}"


@lru_cache(maxsize=8192)
def list_plain_names(name: str) -> tuple[str, ...]:
    """List the names that a name may stand for, the most specific first: a pod is its workload.

    Example: payments-7d9f8b6c5-x2k9p.prod.svc.cluster.local -> payments-7d9f8b6c5-x2k9p, payments
    """
    plain = _PORT.sub("", name.strip().lower())
    names = [plain]
    for pattern in (_CLUSTER_DOMAIN, _POD_SUFFIX, _REPLICA_SUFFIX, _KIND_SUFFIX):
        plain = pattern.sub("", plain)
        names.append(plain)
    if "." in plain and not plain.replace(".", "").isdigit():
        names.append(plain.partition(".")[0])
    return tuple(dict.fromkeys(each for each in names if each))[:6]


def to_component_name(host: str) -> str | None:
    """Return the component that a host name most likely means; None for an address.

    A name of a cluster or of a Compose file is a service; a name of the Internet stays whole.
    """
    plain = list_plain_names(host)
    if not plain or plain[0].replace(".", "").replace(":", "").isdigit():
        return None
    is_internal = "." not in plain[0] or ".svc" in plain[0] or plain[0].endswith((".local", ".internal"))
    return shorten_name(plain[-1] if is_internal else plain[0])


@dataclass(frozen=True)
class NamePolicy:
    """How names of components are read; rule files set the lists as thresholds `topology_*`.

    host_attributes: details, tags and labels that name the host of an event, the first counts.
    host_programs: programs of the operating system: what they report is about the host.
    exporters: suffixes of programs that report about another one, which their `instance` names.
    alias_labels: labels that name the component where a sender's name is only that of a program.
    aliases: further name -> component.
    """

    host_attributes: tuple[str, ...] = ("host", "host.name", "server_name", "instance", "node")
    host_programs: tuple[str, ...] = ("systemd", "kernel", "cron", "node-exporter")
    exporters: tuple[str, ...] = ("-exporter", "_exporter")
    alias_labels: tuple[str, ...] = ()
    aliases: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def is_host_program(self, service: str | None) -> bool:
        return service is not None and service.lower() in self.host_programs

    def is_exporter(self, service: str | None) -> bool:
        return service is not None and service.lower().endswith(self.exporters)


class NameGroups:
    """Names that mean one component. In each group one name stands for all."""

    def __init__(self, fixed: Iterable[str] = (), aliases: Mapping[str, str] = MappingProxyType({})) -> None:
        """fixed: names that each are a component of their own, as the graph has them."""
        self._parents: dict[str, str] = {}
        self._fixed = set(fixed)
        self._aliases = {alias.lower(): name for alias, name in aliases.items()}

    def find(self, name: str) -> str:
        """Return the name that stands for the component."""
        name = self._aliases.get(name.lower(), name)
        while (parent := self._parents.get(name)) is not None:
            name = parent
        return name

    def join(self, name: str, other: str) -> None:
        """Say that both are one component. Two components of the graph stay two."""
        first, second = self.find(name), self.find(other)
        if first == second or {first, second} <= self._fixed:
            return
        keeps_first = first in self._fixed or second not in self._fixed
        kept, renamed = (first, second) if keeps_first else (second, first)
        self._parents[renamed] = kept
