"""URLs that hold a login, such as redis://default:password@host:6379/0.

People write passwords as they are, though `#`, `/`, `?`, `@`, `:` and `%` must be percent-encoded in a URL.
A library then takes half of the password for the host or the port, and names it in its error.
"""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import quote

from pydantic import AfterValidator, SecretStr

_SCHEME_PATTERN = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_HOST = r"(?:\[[0-9A-Fa-f:.%]+\]|[\w.~%-]*)(?::\d*)?"
_HOSTS_PATTERN = re.compile(rf"{_HOST}(?:,{_HOST})*")
_QUERY_PATTERN = re.compile(r"(?:[^=&#@]+=[^&#]*(?:&[^=&#@]+=[^&#]*)*)?")
_STRAY_PERCENT_PATTERN = re.compile(r"%(?![0-9A-Fa-f]{2})")
_UNENCODED = "!$&'()*+,;=-._~%"


def encode_url_credentials(url: str) -> str:
    """Percent-encode what a URL's user name and password must not hold. A correct URL is unchanged."""
    scheme = _SCHEME_PATTERN.match(url)
    if scheme is None:
        return url
    rest = url[scheme.end() :]
    end = _find_end_of_credentials(rest)
    if end is None:
        return url
    user, colon, password = rest[:end].partition(":")
    return f"{scheme[0]}{_encode_part(user)}{colon}{_encode_part(password)}@{rest[end + 1 :]}"


def _find_end_of_credentials(rest: str) -> int | None:
    """The index of the `@` before the host; None if there are no credentials. rest: of the URL, after `://`."""
    if rest.startswith("/") or (_is_location(rest) and "@" not in re.split(r"[/?#]", rest)[0]):
        return None
    ends = [index for index, char in enumerate(rest) if char == "@"]
    # The first `@` after which everything is in order; a later one may stand in an option's value.
    likely = (index for index in ends if _is_location(rest[index + 1 :]))
    return next(likely, ends[-1] if ends else None)


def _is_location(text: str) -> bool:
    """Whether a text is hosts, path and query, and no part of a password."""
    before_query, _, query = text.partition("?")
    hosts, _, path = before_query.partition("/")
    return (
        _HOSTS_PATTERN.fullmatch(hosts) is not None
        and not {"@", "#"} & {*path}
        and _QUERY_PATTERN.fullmatch(query) is not None
    )


def _encode_part(text: str) -> str:
    return quote(_STRAY_PERCENT_PATTERN.sub("%25", text), safe=_UNENCODED)


def _encode_secret(url: SecretStr) -> SecretStr:
    return SecretStr(encode_url_credentials(url.get_secret_value().strip()))


MALFORMED_URL = "the url is malformed; write scheme://user:password@host:port/name"
"""For readings, in place of a library's words about a URL that it cannot read: they may name the password."""

SecretUrl = Annotated[SecretStr, AfterValidator(_encode_secret)]
"""The type of a setting that holds a URL with a login: masked, and its password may be written as it is."""
