"""One frame of a stack: whether it is the application's code, and its location across deployments."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

LIBRARY_FILES = (
    # Python
    r"/(?:site|dist)-packages/",
    r"[/\\]lib[/\\]python[23]",
    r"[/\\]Python3\d+[/\\]Lib[/\\]",
    r"^<frozen ",
    # JavaScript
    r"\bnode_modules/",
    r"^(?:node:|internal/)",
    r"^(?:<anonymous>|native|\[native code\])$",
    r"webpack/(?:bootstrap|runtime)",
    r"^(?:chrome|moz|safari(?:-web)?)-extension:",
    # Go
    r"/pkg/mod/",
    r"/vendor/",
    # Ruby
    r"/gems/",
    r"/lib/ruby/",
    r"^<internal:",
)
"""Patterns of files that are library code."""

_JAVA_LIBRARIES = (
    r"(?:javax?|jakarta|jdk|sun|com\.sun|kotlinx?|scala|groovy|clojure)\.",
    r"org\.(?:apache|springframework|hibernate|eclipse|jboss|junit|postgresql|mariadb|slf4j|mockito)\.",
    r"(?:io\.(?:netty|micrometer|undertow|vertx|grpc|reactivex|quarkus)|reactor|com\.zaxxer|com\.fasterxml)\.",
    r"(?:com\.google\.common|com\.google\.inject|com\.mysql|okhttp3|retrofit2|akka|play\.api)\.",
)
_DOTNET_LIBRARIES = (r"(?:System|Microsoft|Npgsql|Newtonsoft|MySql|Grpc)\.",)
_GO_LIBRARIES = (
    r"(?:runtime|net|os|io|fmt|sync|time|bufio|context|reflect|syscall|testing)(?:/[\w/-]+)?\.",
    r"(?:encoding|database|crypto|internal|log|path|sort|strconv|strings|bytes|errors)(?:/[\w/-]+)?\.",
    r"panic$",
)
LIBRARY_NAMES = {"": (*_JAVA_LIBRARIES, *_DOTNET_LIBRARIES), ".cs": _DOTNET_LIBRARIES, ".go": _GO_LIBRARIES}
"""Patterns of full function names that are library code, by the ending of the file; "" for no file."""

_LIBRARY_FILE = re.compile("|".join(LIBRARY_FILES))
_LIBRARY_NAME = {ending: re.compile("|".join(names)) for ending, names in LIBRARY_NAMES.items()}

_URL_SCHEME = re.compile(r"^\w[\w+.-]*://[^/]*")
_URL_TAIL = re.compile(r"[?#].*$")
# Folders that code is deployed to, which differ by machine and by release.
_DEPLOY_ROOT = re.compile(
    r"^(?:[A-Za-z]:)?/(?:(?:home|Users)/[^/]+|(?:private/)?(?:var/(?:www|task|lib)|tmp)|usr/(?:src|local)"
    r"|app|build|code|data|mnt|opt|root|srv|workspace)(?=/)"
)
_RELEASE_FOLDER = re.compile(r"^.*/(?:releases/[^/]+|current)(?=/)")
_VOLATILE_PART = re.compile(
    r"^(?:[A-Za-z]:|\d{6,}[\w.-]*|v?\d+\.\d+[\w.-]*|(?=[0-9a-f]*\d)[0-9a-f]{7,}|\.{0,2}|~)$"
)
_CONTENT_HASH = re.compile(r"[.-](?=[0-9a-f]*\d)[0-9a-f]{6,}(?=\.)")
_COMPILER_NAMES = (
    (re.compile(r"\$\$Lambda.*|(?:\$\d+)+(?=\.|$)|\$\$[A-Z]\w*\$\$\w+"), ""),  # Java: classes without a name
    (re.compile(r"lambda\$(\w+)\$\d+"), r"\1"),
    (
        re.compile(r"<(\w+)>[a-z]__[\w|]*\d+(?:_\d+)?(?:\.MoveNext)?"),
        r"\1",
    ),  # .NET: bodies of async and closures
    (re.compile(r"\.?<>c(?:__DisplayClass[\d_]+)?"), ""),
    (re.compile(r"(?:\.func\d+(?:\.\d+)*|\.gowrap\d+|-fm)+$"), ""),  # Go: closures
    (re.compile(r"\[\.\.\.\]"), ""),
    (re.compile(r"^(?:block|rescue|ensure)(?: \(\d+ levels\))? in "), ""),  # Ruby
    (re.compile(r"^(?:async |new )+|^Object\.(?=<anonymous>)"), ""),  # JavaScript
    (re.compile(r"^(?:.*\.)?<(?:anonymous|lambda)>$"), "<anonymous>"),
    (re.compile(r"\.<locals>"), ""),
)


@dataclass(frozen=True)
class Frame:
    """One call of a stack. name: of the function, with its module or class where the language reports it."""

    file: str
    name: str

    @property
    def in_app(self) -> bool:
        """Whether the frame is the application's own code, as far as file and name tell."""
        return _is_in_app(self.file, self.name)

    @property
    def location(self) -> str:
        """File and function, the same on every machine and in every release."""
        return _format_location(self.file, self.name)


# Most stacks consist of the same few frames.
@lru_cache(maxsize=4096)
def _is_in_app(file: str, name: str) -> bool:
    if _LIBRARY_FILE.search(file.replace("\\", "/")):
        return False
    names = _LIBRARY_NAME.get(file[file.rfind(".") :] if "." in file else "")
    return names is None or not names.match(name)


@lru_cache(maxsize=4096)
def _format_location(file: str, name: str) -> str:
    return f"{_normalize_file(file)}:{_normalize_name(name)}"


def _normalize_file(path: str) -> str:
    """Return the file with its folder, unless the folder depends on the machine or the release."""
    path_only = _URL_TAIL.sub("", _URL_SCHEME.sub("", path.replace("\\", "/")))
    *folders, file = _RELEASE_FOLDER.sub("", _DEPLOY_ROOT.sub("", path_only)).split("/")
    kept = [part for part in folders if not _VOLATILE_PART.match(part)]
    return "/".join((*kept[-1:], _CONTENT_HASH.sub("", file)))


def _normalize_name(name: str) -> str:
    for pattern, replacement in _COMPILER_NAMES:
        name = pattern.sub(replacement, name)
    return name.strip()
