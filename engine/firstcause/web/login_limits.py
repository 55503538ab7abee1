"""How often a password may be tried: waits that grow with wrong passwords, by network, name and browser."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass

from firstcause.errors import IntakeError

FREE_ATTEMPTS = 3
"""Attempts without a wait, which is what people need who mistype."""

MAX_WAIT_S = 10.0
"""Seconds between two attempts at most; longer waits would keep out who knows the password."""

MAX_HELD_S = 20.0
"""Seconds that an attempt is held until it is its turn; one whose turn is later is refused."""

FORGET_AFTER_S = 900.0
"""Seconds without an attempt after which earlier ones are forgotten."""

_MAX_KEYS = 10_000
_IPV4_PREFIX, _IPV6_PREFIX = 24, 48


@dataclass
class _Attempts:
    count: int
    next_at: float
    last_at: float


@dataclass(frozen=True)
class Turn:
    """When an attempt may be checked. number: how many its network has made since the last right password."""

    wait_s: float
    number: int


class LoginLimits:
    """Plans attempts. Each counts before it is checked, so attempts side by side gain nothing.

    Attempts of one network have one turn after another. A name only slows: somebody else's guesses at a name
    must not keep its owner out. A browser that has signed in before is counted for itself alone.
    """

    def __init__(self) -> None:
        self._attempts: OrderedDict[str, _Attempts] = OrderedDict()

    def plan(self, address: str, name: str, browser: str | None, now: float) -> Turn:
        """Give an attempt its turn. IntakeError 429 where that is too far away."""
        own_key = _make_own_key(address, browser)
        own, named = self._find_turns(own_key, now), self._find_turns(_make_name_key(name), now)
        turn_at = max(now, own.next_at)
        if turn_at - now > MAX_HELD_S:
            wait_s = turn_at - now
            msg = f"too many wrong passwords from this network; try again in {wait_s:.0f} s"
            raise IntakeError(msg, 429, retry_after=wait_s)
        own.count += 1
        own.next_at = turn_at + _compute_wait(own.count)
        if browser is None:
            turn_at = max(turn_at, now + _compute_wait(named.count))
        named.count += 1
        own.last_at = named.last_at = turn_at
        return Turn(turn_at - now, own.count)

    def forget(self, address: str, name: str, browser: str | None) -> None:
        """Forget the attempts of who has given the right password."""
        self._attempts.pop(_make_own_key(address, browser), None)
        self._attempts.pop(_make_name_key(name), None)

    def _find_turns(self, key: str, now: float) -> _Attempts:
        found = self._attempts.pop(key, None)
        if found is None or now - found.last_at > FORGET_AFTER_S:
            found = _Attempts(0, now, now)
        self._attempts[key] = found
        while len(self._attempts) > _MAX_KEYS:
            self._attempts.popitem(last=False)
        return found


def _compute_wait(count: int) -> float:
    """Seconds after so many attempts: 0 0 0 1 2 4 8 10 10."""
    if count < FREE_ATTEMPTS:
        return 0.0
    return min(MAX_WAIT_S, 2.0 ** min(count - FREE_ATTEMPTS, 10))


def _make_own_key(address: str, browser: str | None) -> str:
    return f"browser {browser}" if browser is not None else f"network {find_network(address)}"


def _make_name_key(name: str) -> str:
    return f"name {name.strip().lower()}"


def find_network(address: str) -> str:
    """Return the network that an address counts as: /24 of IPv4, /48 of IPv6."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    prefix = _IPV4_PREFIX if isinstance(ip, ipaddress.IPv4Address) else _IPV6_PREFIX
    return str(ipaddress.ip_network((ip, prefix), strict=False))
