"""All tables of secrets together: what they look like in texts and in data.

The mask and the prefilter are made from these tables: add a secret in `issuers`, `labels`, `connections`,
`command_options`, `sentences`, `personal` or `names`, and nowhere else. The tests walk the tables, mask each
example and check that the prefilter flags it. Prefilter forms are RE2, case-insensitive, and match the bytes
of a JSON document. They have no look-around, so they match more often than the regex does, and never less
often.
"""

from __future__ import annotations

from firstcause.core.privacy.command_options import COMMAND_PATTERNS
from firstcause.core.privacy.connections import CONNECTION_PATTERNS
from firstcause.core.privacy.issuers import ISSUER_PATTERNS
from firstcause.core.privacy.labels import LABEL_PATTERNS
from firstcause.core.privacy.names import NAME_REGEX, NAME_REST
from firstcause.core.privacy.pattern_types import JSON_REST, DataPattern
from firstcause.core.privacy.sentences import SENTENCE_PATTERNS

_LONG_INT_DIGITS = 400
"""Digits from which on the prefilter flags a number; the mask replaces numbers of some thousand digits."""

TEXT_PATTERNS = (
    *ISSUER_PATTERNS,
    *CONNECTION_PATTERNS,
    *COMMAND_PATTERNS,
    *LABEL_PATTERNS,
    *SENTENCE_PATTERNS,
)
"""Of secrets. Those of personal data are in `personal`."""

DATA_PATTERNS = (
    DataPattern(
        name="value under a secret's name",
        prefilter=(rf"(?:{NAME_REGEX}){NAME_REST}\s*:",),
        example='{"p.a-s s_w o r d": "hunter2"}',
        counterexample='{"passenger": "ann"}',
    ),
    DataPattern(
        name="header as a pair",
        prefilter=(rf'\[\s*"{JSON_REST}(?:{NAME_REGEX}){NAME_REST}\s*,',),
        example='["X-Api-Key", "hunter2"]',
        counterexample='["Accept", "text/html"]',
    ),
    DataPattern(
        name="argument after a secret's option",
        prefilter=(rf'"--?{JSON_REST}(?:{NAME_REGEX}){NAME_REST}\s*,',),
        example='["mysqldump", "--db-password", "hunter2"]',
        counterexample='["mysqldump", "--db-password", "--all"]',
    ),
    DataPattern(
        name="argument after a command's own option",
        prefilter=(r'"-[a-zA-Z-]+"\s*,\s*"', r'"-[pPuaw][^"\s]'),
        example='["/usr/bin/curl", "-u", "ann:hunter2"]',
        counterexample='["/usr/bin/docker", "-p", "80:80"]',
    ),
    DataPattern(
        name="name and value as an object",
        prefilter=(rf'"(?:name|key)"\s*:\s*"{JSON_REST}(?:{NAME_REGEX})',),
        example='{"key": "DB_PASSWORD", "value": "hunter2"}',
        counterexample='{"key": "user", "value": "ann"}',
    ),
    DataPattern(
        name="number that is a card number when it is written out",
        # Before the colon is a key's quote; ids such as `sentry:71e0` are texts.
        prefilter=(r'(?:"\s*:|[,\[])\s*-?[0-9.]+e',),
        example="4.111111111111111e15",
        counterexample="4.1e3",
    ),
    DataPattern(
        name="number that is too long",
        prefilter=(rf"[:,\[]\s*-?[0-9]{{{_LONG_INT_DIGITS}}}",),
        example="1" + 4000 * "0",
        counterexample="1" + 30 * "0",
    ),
    DataPattern(
        name="number that JSON cannot hold",
        prefilter=("(?-i:NaN|Infinity)",),
        example="Infinity",
        counterexample="1.5",
    ),
)

HIDING_FORMS = (r"\\u", r"\\/", r"\xc4\xb0", r"\xe2\x84\xaa", r"\xcf\xb4")
"""RE2 forms of what may hide any of the above: escapes, and letters that become ASCII ones in lower case."""
