"""What a message says in addition to its title: where, the raw line, whom it hits; and nothing twice."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from firstcause.core.model import Role

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from firstcause.core.model import Alert

HOST_LABELS = (
    "host.name", "host", "hostname", "server_name", "nodename", "instance", "node", "k8s.node.name",
    "k8s.pod.name", "pod", "container", "machine", "server", "device",
)  # fmt: skip
"""Labels, tags and details that name the machine or its part, the most telling first."""

_MAX_NAMED = 2
_MAX_NAMED_SERVICES = 3
_CLAUSE_END = re.compile(r"(?<=.{12})[;:.](?:\s|$)|(?<=.{12}),? (?:so that|where|because) ")
_WORD = re.compile(r"\w+")
_EMPTY_WORDS = frozenset(
    {
        "a", "active", "an", "and", "any", "been", "catalog", "cause", "causes", "error", "errors", "failed",
        "failure", "for", "has", "in", "is", "it", "its", "known", "no", "none", "not", "of", "on", "or",
        "reported", "so", "the", "to", "was", "with",
    }
)  # fmt: skip


def describe_place(root_alerts: Sequence[Alert], title: str) -> str | None:
    """Describe where the root is: " at db-1 +2 (billing)"; None where nobody said, or the title has it."""
    hosts = list(dict.fromkeys(host for alert in root_alerts for host in _find_hosts(alert)))
    services = list(dict.fromkeys(alert.service for alert in root_alerts if alert.service is not None))
    new_hosts = [host for host in hosts if not _has_name(title, host)]
    new_services = [name for name in services if name not in hosts and not _has_name(title, name)]
    if new_hosts:
        service = f" ({new_services[0]})" if len(new_services) == 1 else ""
        return f"at {_list_limited(new_hosts, _MAX_NAMED)}{service}"
    return f"in {_list_limited(new_services, _MAX_NAMED)}" if new_services else None


def _has_name(text: str, name: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text, re.IGNORECASE) is not None


def _find_hosts(alert: Alert) -> Iterable[str]:
    """Yield the hosts of the active parts of an alert, else that of its latest occurrence."""
    labels: list[Mapping[str, object]] = [
        part.labels for part in alert.parts.shown if part.resolved_at is None or not alert.active
    ]
    hosts = [host for each_labels in labels if (host := _pick_host(each_labels)) is not None]
    if not hosts and alert.sample is not None:
        host = _pick_host(alert.sample.tags) or _pick_host(alert.sample.details)
        hosts = [host] if host is not None else []
    return hosts


def _pick_host(labels: Mapping[str, object]) -> str | None:
    values = (labels.get(name) for name in HOST_LABELS)
    return next((value for value in values if isinstance(value, str) and value.strip()), None)


def find_raw_line(root_alerts: Sequence[Alert], *said: str | None) -> str | None:
    """Find the first line of what the root reported; None where `said` has all of its words already."""
    messages = (alert.sample.message for alert in root_alerts if alert.sample is not None)
    message = next((message for message in messages if message and message.strip()), None)
    if message is None:
        return None
    line = " ".join(message.strip().splitlines()[0].split())
    return None if is_said(line, *said) else line


def is_said(text: str, *said: str | None) -> bool:
    """Whether other texts have every word of this one that means something."""
    known = {word for other in said if other for word in _split_words(other)}
    return set(_split_words(text)) <= known | _EMPTY_WORDS


def _split_words(text: str) -> list[str]:
    return [part for word in _WORD.findall(text.casefold()) for part in word.split("_") if part]


def shorten_step(step: str) -> str:
    """Return the first clause of a step: what to do, without why and what else."""
    return _CLAUSE_END.split(step.strip(), maxsplit=1)[0].rstrip(".")


def list_hit_services(members: Sequence[Alert]) -> tuple[str, ...]:
    """List the services that only the effects are in, those with the most errors first."""
    root_services = {alert.service for alert in members if alert.role is Role.ROOT}
    counts: dict[str, int] = {}
    for alert in members:
        if alert.role is Role.CASCADE and alert.service is not None and alert.service not in root_services:
            counts[alert.service] = counts.get(alert.service, 0) + alert.count
    return tuple(sorted(counts, key=lambda name: (-counts[name], name)))


def format_hits(companies: str | None, services: Sequence[str], errors: int) -> str | None:
    """Format whom it hits, with numbers: "Hits acme, bolt; payments, stock +4; 171 errors"."""
    hit = [companies] if companies else []
    hit += [_list_limited(services, _MAX_NAMED_SERVICES)] if services else []
    count = [f"{errors:,} errors"] if errors > 1 else []
    if hit:
        return f"Hits {'; '.join([*hit, *count])}"
    return count[0] if count else None


def _list_limited(names: Sequence[str], limit: int) -> str:
    further = len(names) - limit
    return ", ".join(names[:limit]) + (f" +{further}" if further > 0 else "")
