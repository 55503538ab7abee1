"""Finds in the text of an error whom the failed call was for: `connection refused to host:port` and its like.

The whole failure is a call: the service that reports it is the caller, the named host is the callee.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAX_TEXT = 4000
"""Characters of a text that are searched; the target stands near the beginning."""
_MAX_TARGETS = 8

_HOST = r"(?P<host>[A-Za-z0-9_](?:[A-Za-z0-9_-]|\.(?=[A-Za-z0-9_])){0,199})"
_IP = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")
_SCHEMES = r"https?|amqps?|rediss?|postgres(?:ql)?|mysql|mariadb|mongodb(?:\+srv)?|kafka|nats|grpc|tcp|ldaps?"

# Each pattern is of a failure, so that a URL in passing (a docs link) does not count.
_FAILURES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"connection to server at \"{_HOST}\"(?: \((?P<address>[\d.:a-f]+)\))?",
        rf"ConnectionPool\(host=['\"]{_HOST}['\"]",
        rf"\bhost=['\"]?{_HOST}['\"]?,? (?:port|user|dbname|database)=",
        rf"\blookup {_HOST}(?: on [\d.:]+)?: (?:no such host|i/o timeout|server misbehaving)",
        rf"\b(?:for|fetching|calling|requesting) url:? ['\"<]?(?:{_SCHEMES})://(?:[^/\s:@]+:[^/\s@]*@)?{_HOST}",
        rf"\bupstream:? ['\"]?(?:{_SCHEMES})://{_HOST}",
        rf"\bjdbc:[a-z0-9]+(?::[a-z]+)?:(?:thin:@)?//?(?:[^/\s@]*@)?{_HOST}",
        (
            rf"\b(?:amqps?|rediss?|postgres(?:ql)?|mysql|mariadb|mongodb(?:\+srv)?|nats|kafka)"
            rf"(?:\+\w+)?://(?:[^/\s@]*@)?{_HOST}"
        ),
        (
            rf"\b(?:get|post|put|patch|delete|head|request to|requesting|calling|fetch(?:ing)?)"
            rf" ['\"<]?https?://(?:[^/\s:@]+:[^/\s@]*@)?{_HOST}"
        ),
        rf"\bdial (?:tcp|udp)[46]? {_HOST}:\d+",
        rf"\b(?:ECONNREFUSED|ETIMEDOUT|ECONNRESET|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH) {_HOST}",
        (
            rf"\b(?:connect(?:ing|ion)?|reconnect(?:ing)?) (?:to|with) (?:server |host |broker |node )?"
            rf"['\"/]?{_HOST}['\"]?(?::| port |, port )\d+"
        ),
        rf"\bcould not resolve (?:host|hostname):? ['\"]?{_HOST}",
        rf"\bMySQL server on ['\"]{_HOST}['\"]",
        rf"\bUnknownHostException: {_HOST}",
        rf"\b(?:connection|connect) (?:refused|timed out|reset)[^\n]{{0,20}}? (?:to|by|from) {_HOST}:\d+",
        rf"\b{_HOST}:\d{{2,5}}:? (?:connection refused|connect: connection refused|no route to host)",
        rf"\bno (?:route|healthy upstream) (?:to host|for) {_HOST}",
        rf"\bcluster (?:name )?['\"]?outbound\|\d+\|[^|]*\|{_HOST}",
    )
)
_NOT_NAMES = frozenset({"localhost", "server", "host", "the", "a", "database", "tcp"})
_HINT = re.compile(
    r"://|host|lookup|connect|dial|econn|etimed|enotfound|eai_again|resolve|upstream|outbound", re.IGNORECASE
)
_LAST_LINE = re.compile(r"[^\s][^\n]*\Z")


class Target(NamedTuple):
    """Whom a failed call was for. address: the IP address that the text names beside the host, else None."""

    host: str
    address: str | None = None


def find_targets(*texts: str | None) -> tuple[Target, ...]:
    """Find the targets of the failed calls that the texts tell of, without duplicates, in order."""
    found: dict[str, Target] = {}
    for text in texts:
        if text:
            for target in _find_in_text(text[:_MAX_TEXT]):
                known = found.get(target.host)
                if known is None or (known.address is None and target.address):
                    found[target.host] = target
    return tuple(found.values())[:_MAX_TARGETS]


def last_line(stack: str | None) -> str | None:
    """Return the last line of a stack, which in many languages has the exception's message."""
    matched = _LAST_LINE.search(stack[-_MAX_TEXT:].rstrip()) if stack else None
    return matched[0] if matched else None


@lru_cache(maxsize=8192)
def _find_in_text(text: str) -> tuple[Target, ...]:
    return tuple(_search_patterns(text)) if _HINT.search(text) else ()


def _search_patterns(text: str) -> Iterator[Target]:
    for pattern in _FAILURES:
        for matched in pattern.finditer(text):
            groups = matched.groupdict()
            host = groups["host"].lower().rstrip(".")
            is_own = host in _NOT_NAMES or host.startswith(("127.", "0."))
            if not is_own and not host.isdigit():
                yield Target(host, groups.get("address"))


def is_address(name: str) -> bool:
    """Whether the name is an IPv4 address."""
    return _IP.fullmatch(name) is not None
