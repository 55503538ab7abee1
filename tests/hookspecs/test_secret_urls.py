"""URLs whose passwords are written as they are."""

from __future__ import annotations

from urllib.parse import quote, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstcause.hookspecs.secret_urls import encode_url_credentials

LOCATIONS = (
    "127.0.0.1:6379/0",
    "db.example",
    "db.example/app",
    "[::1]:5432/app",
    "a.example:1,b.example:2/app?replicaSet=rs&appName=x@y",
    "/app?host=/run/postgresql",
)
passwords = st.text(st.characters(min_codepoint=33, max_codepoint=382), min_size=1, max_size=20)


@given(password=passwords, location=st.sampled_from(LOCATIONS))
def test_an_encoded_password_is_left_as_it_is(password: str, location: str) -> None:
    url = f"redis://app:{quote(password, safe='')}@{location}"
    assert encode_url_credentials(url) == url


@given(
    password=st.text(st.sampled_from("aZ7#/@:!$&*+"), min_size=1, max_size=20),
    location=st.sampled_from(LOCATIONS),
)
def test_a_password_as_people_write_it_is_the_one_that_is_sent(password: str, location: str) -> None:
    encoded = encode_url_credentials(f"redis://app:{password}@{location}")
    host = urlsplit(f"redis://{location}").hostname
    if "@" in password and urlsplit(encoded).hostname != host:
        # "p@host/x@real" may be a path with an @, so what it means is not known.
        return
    assert unquote(encoded.partition("app:")[2].partition("@")[0]) == password
    assert encoded.endswith(f"@{location}")


@pytest.mark.parametrize(
    ("written", "encoded"),
    [
        ("redis://default:Sup3r#Tail@127.0.0.1:6390/0", "redis://default:Sup3r%23Tail@127.0.0.1:6390/0"),
        ("postgresql://app:Sup3r@Secret@127.0.0.1/a", "postgresql://app:Sup3r%40Secret@127.0.0.1/a"),
        ("postgresql://u:p@ss/word@host/db", "postgresql://u:p%40ss%2Fword@host/db"),
        ("postgresql://u:12/34@host/db", "postgresql://u:12%2F34@host/db"),
        ("mongodb://u:p?a@h1:1,h2/db?appName=a@b", "mongodb://u:p%3Fa@h1:1,h2/db?appName=a@b"),
        ("postgresql://u:50%off@host/db", "postgresql://u:50%25off@host/db"),
        ("postgresql://u:a:b@host/db", "postgresql://u:a%3Ab@host/db"),
    ],
)
def test_what_is_encoded(written: str, encoded: str) -> None:
    assert encode_url_credentials(written) == encoded
    assert encode_url_credentials(encoded) == encoded


@pytest.mark.parametrize(
    "url",
    [
        "redis://host:6379/0?name=a@b", "unix:///run/a@b.sock", "unix://u:p@/run/redis.sock?db=1",
        "sqlite:////data/a@b#c?.db", "mongodb://u:p@%2Frun%2Fm.sock/db", "redis://host", "redis://app:Sup3r",
        "no url@all", "",
    ],
)  # fmt: skip
def test_what_is_left_alone(url: str) -> None:
    assert encode_url_credentials(url) == url
