"""The name of a source file, the same on every machine and in every release."""

from __future__ import annotations

import re

_URL_SCHEME = re.compile(r"^\w[\w+.-]*://[^/]*")
_URL_TAIL = re.compile(r"[?#].*$")
# Folders that code is deployed to, which differ by machine and by release.
_DEPLOY_ROOT = re.compile(
    r"^(?:[A-Za-z]:)?/(?:(?:home|Users)/[^/]+|(?:private/)?(?:var/(?:www|task|lib)|tmp)|usr/(?:src|local)"
    r"|app|build|code|data|mnt|opt|root|srv|workspace)(?=/)"
)
_RELEASE_FOLDER = re.compile(r"^.*/(?:releases/[^/]+|current)(?=/)")
_VOLATILE_PART = re.compile(
    r"^(?:[A-Za-z]:|\d{6,}[\w.-]*|v?\d+\.\d+[\w.-]*|(?=[0-9a-f]*\d)[0-9a-f]{7,}|\.{0,2}|~"
    r"|(?=[\w-]*\d)(?=[\w-]*[a-z])(?=[\w-]*[A-Z])[\w-]{20,24})$"
)
_CONTENT_HASH = re.compile(r"[.-](?=[0-9a-f]*\d)[0-9a-f]{6,}(?=\.)")

# What a bundler writes into a name: `checkout-BxkT9a2Q.js`, `chunk-4QXJ2ZRB.js`, `chunks/DfGh-_aB.js`.
_BUNDLE = re.compile(
    r"^(?P<stem>(?:.{0,200}[.~_-])?)(?P<hash>[A-Za-z0-9_-]{8}|[A-Za-z0-9]{10,64})"
    r"(?P<ending>(?:\.(?:chunk|bundle|min|module|esm|prod|legacy))*\.(?:[cm]?jsx?|[cm]?tsx?|css|wasm))$"
)
_SHORT_HASH_LENGTH = 8
_PLAIN_WORD = re.compile(r"^(?:[A-Za-z][a-z]*|[A-Z]{2,7}\d{0,2}|\d{1,4}|[A-Za-z][a-z]{0,2}\d{1,3})$")
_NUMBERED_WORD = re.compile(r"^(?:[A-Za-z][a-z]*\d{0,3}|\d{1,4}[a-z]+)$")
_CAMEL_CASE = re.compile(r"^[A-Za-z]?[a-z]+(?:[A-Z][a-z]+)+\d{0,3}$")
_LETTERS_FOR_UNSPEAKABLE = 12
_CAMEL_WORD = re.compile(r"[A-Z]?[a-z]+")
_UNSPEAKABLE = re.compile(
    r"^[^aeiouy]+$|[^aeiouy]{3}|^(?!(?:[bcdfgkpt][lr]|[cstw]h|s[ckmnptwlq]|[dt]w|kn|wr|qu|[aeiouy]"
    r"|.[aeiouy]))",
    re.IGNORECASE,
)
_RANDOM_STEM = re.compile(r"(?:^|[/_.-])chunk-$")


def normalize_file(path: str) -> str:
    """Return the file with its folder, unless the folder depends on the machine or the release."""
    path_only = _URL_TAIL.sub("", _URL_SCHEME.sub("", path.replace("\\", "/")))
    *folders, file = _RELEASE_FOLDER.sub("", _DEPLOY_ROOT.sub("", path_only)).split("/")
    kept = [part for part in folders if not _VOLATILE_PART.match(part)]
    return "/".join((*kept[-1:], strip_content_hash(file)))


def strip_content_hash(file: str) -> str:
    """Strip the hash of the content from the name of a file: `app.4f3c2a1b.js` -> `app.js`."""
    plain = _CONTENT_HASH.sub("", file)
    match = _BUNDLE.match(plain)
    if match is None or not _is_random(match["stem"], match["hash"]):
        return plain
    return match["stem"].rstrip(".~_-") + match["ending"]


def _is_random(stem: str, text: str) -> bool:
    """Whether a part of a name is a hash, as `BxkT9a2Q`, rather than words, as `v2_final` or `UserList`."""
    parts = re.split(r"[_-]", text)
    if len(text) == _SHORT_HASH_LENGTH:
        if len(parts) == 1 and (_RANDOM_STEM.search(stem) or text.isupper()):
            return True
        # Words are written in one way: `set_list`, `Set_List` or `SET_LIST`.
        styles = {(part[:1].isupper(), part[1:2].isupper()) for part in parts if not part.isdigit()}
        return len(styles) > 1 or not all(map(_is_word, parts))
    return text.lower() != text != text.upper() and not _is_word(text)


def _is_word(part: str) -> bool:
    if _PLAIN_WORD.match(part):
        return True
    words = _CAMEL_WORD.findall(part)
    unspeakable = sum(_UNSPEAKABLE.search(word) is not None for word in words)
    if _NUMBERED_WORD.match(part):
        return not unspeakable
    # Of a long name, one word may be hard to speak: `PaymentSchedule`.
    return _CAMEL_CASE.match(part) is not None and unspeakable <= len(part) // _LETTERS_FOR_UNSPEAKABLE
