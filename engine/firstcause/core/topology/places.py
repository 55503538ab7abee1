"""Where alerts are: on which component and host, and which calls and hosts their own texts name."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from firstcause.core.topology.names import (
    NameGroups,
    NamePolicy,
    list_plain_names,
    shorten_name,
    to_component_name,
)
from firstcause.core.topology.targets import find_targets, is_address, last_line

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from firstcause.core.model import Alert

MAX_CALLEES = 60
"""Calls that texts may add to one caller: ids in host names must not become a graph."""


class Place(NamedTuple):
    """Where an alert is.

    component: None where nothing says it.
    host: of the event, None if unknown. bound: whether the alert is about that host itself.
    named: whether the event named a service or host, so that it is not only where the catalog puts the code.
    is_catalogs: whether it named just the component of the catalog's entry, as our own probes do.
    """

    component: str | None
    host: str | None = None
    bound: bool = False
    named: bool = True
    is_catalogs: bool = False


class _RawPlace(NamedTuple):
    service: str | None
    host: str | None
    bound: bool


def read_host(alert: Alert, policy: NamePolicy) -> str | None:
    """Read the host that an alert's latest event names, without a port; None if it names none."""
    sample = alert.sample
    if sample is None:
        return None
    nested = sample.details.get("labels")
    labels = nested if isinstance(nested, dict) else {}
    for name in policy.host_attributes:
        value = sample.details.get(name) or sample.tags.get(name) or labels.get(name)
        if isinstance(value, str) and value.strip():
            return shorten_name(list_plain_names(value)[0]) if list_plain_names(value) else None
    return None


def _read_raw(alert: Alert, policy: NamePolicy) -> _RawPlace:
    host, service = read_host(alert, policy), alert.service
    nested = alert.sample.details.get("labels") if alert.sample else None
    labels = nested if isinstance(nested, dict) else {}
    if host is not None and policy.is_host_program(service):
        return _RawPlace(host, host, bound=True)
    if policy.is_exporter(service):
        named = next((str(labels[name]) for name in policy.alias_labels if labels.get(name)), None)
        return _RawPlace(named or host or service, host, bound=False)
    return _RawPlace(service, host, bound=False)


class Places:
    """The places of a set of alerts, and the edges that these alerts add to the graph.

    known: components of the graph.
    """

    def __init__(self, alerts: Iterable[Alert], known: Collection[str], policy: NamePolicy) -> None:
        self._policy = policy
        alert_list = list(alerts)
        self._raw = {alert.fingerprint: _read_raw(alert, policy) for alert in alert_list}
        self._groups = NameGroups(known, policy.aliases)
        self._services_on: dict[str, set[str]] = defaultdict(set)
        self._addresses: dict[str, str] = {}
        targets = {
            alert.fingerprint: find_targets(alert.title, alert.sample.message, last_line(alert.sample.stack))
            for alert in alert_list
            if alert.sample is not None
        }
        self._join_hosts(alert_list)
        names = {*known, *(raw.service for raw in self._raw.values() if raw.service)}
        self._join_similar(names, known)
        for found in targets.values():
            for target in found:
                if target.address is not None:
                    self._addresses[target.address] = target.host
        self._names = {self._groups.find(name) for name in names}
        self.hosts: dict[str, set[str]] = defaultdict(set)
        for raw in self._raw.values():
            if raw.service and raw.host:
                self.hosts[self._groups.find(raw.service)].add(raw.host)
        self.edges = self._collect_edges(alert_list, targets)

    def _join_hosts(self, alerts: Iterable[Alert]) -> None:
        """Join a host and the only service on it: they are one thing under two names."""
        for raw in self._raw.values():
            if raw.host and raw.service and not raw.bound:
                self._services_on[raw.host].add(raw.service)
        exporters = {
            self._raw[alert.fingerprint].service
            for alert in alerts
            if self._policy.is_exporter(alert.service)
        }
        for host in sorted(self._services_on):
            services = self._services_on[host] - {host} - exporters
            if len(services) == 1:
                self._groups.join(min(services), host)

    def _join_similar(self, names: Collection[str], known: Collection[str]) -> None:
        """Join a pod and its workload, `cart` and `cart-service`, where both names are known."""
        by_lower = {name.lower(): name for name in sorted(names)}
        hosts = [host for host in sorted(self._services_on) if host not in by_lower]
        for name in (*sorted(names), *hosts):
            if name in known:
                continue
            plain = list_plain_names(name)[1:] if name.lower() in by_lower else list_plain_names(name)
            other = next((by_lower[each] for each in plain if each in by_lower), None)
            if other is not None and other != name:
                self._groups.join(other, name)

    def resolve(self, name: str) -> str | None:
        """Return the component of a host name, an address or another name; None for an unknown address."""
        name = self._addresses.get(name, name)
        if is_address(name):
            return None
        for each in list_plain_names(name):
            standing_for = self._groups.find(each)
            if standing_for in self._names or standing_for != each:
                return standing_for
        return to_component_name(name)

    def _collect_edges(
        self, alerts: Iterable[Alert], targets: Mapping[str, tuple[object, ...]]
    ) -> dict[str, tuple[str, ...]]:
        edges: dict[str, set[str]] = defaultdict(set)
        for alert in alerts:
            raw = self._raw[alert.fingerprint]
            if raw.service is None:
                continue
            caller = self._groups.find(raw.service)
            for target in targets.get(alert.fingerprint, ()):
                callee = self.resolve(target.host)  # type: ignore[attr-defined]
                if callee is not None and callee != caller and len(edges[caller]) < MAX_CALLEES:
                    edges[caller].add(callee)
            # A host that several services run on explains what runs there.
            if raw.host and not raw.bound and self._groups.find(raw.host) != caller:
                host = self._groups.find(raw.host)
                if self._is_bound_host(host):
                    edges[caller].add(host)
        return {caller: tuple(sorted(callees)) for caller, callees in sorted(edges.items()) if callees}

    def _is_bound_host(self, host: str) -> bool:
        """Whether an alert is about that host itself; else the host explains nothing."""
        return any(raw.bound and self._groups.find(str(raw.host)) == host for raw in self._raw.values())

    def locate(self, alert: Alert) -> Place:
        """Locate an alert. Its service, else the component of its catalog entry."""
        raw = self._raw.get(alert.fingerprint) or _read_raw(alert, self._policy)
        if raw.service is not None:
            is_catalogs = raw.host is None and raw.service == alert.component
            return Place(self._groups.find(raw.service), raw.host, raw.bound, is_catalogs=is_catalogs)
        return Place(alert.component, raw.host, bound=False, named=False)
