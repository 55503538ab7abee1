"""One frame of a stack: whose code it is, and what of it stays when the code is deployed anew."""

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
"""Where the code of others lies, by file."""

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
"""The code of others by the beginning of a function's full name, by the ending of the file; "": no file."""

_LIBRARY_FILE = re.compile("|".join(LIBRARY_FILES))
_LIBRARY_NAME = {ending: re.compile("|".join(names)) for ending, names in LIBRARY_NAMES.items()}

_URL_SCHEME = re.compile(r"^\w[\w+.-]*://[^/]*")
_URL_TAIL = re.compile(r"[?#].*$")
# Where code is put, which differs from machine to machine and from release to release.
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
    """Where one call was. name: the function's, with its module or class where the language tells it."""

    file: str
    name: str

    @property
    def in_app(self) -> bool:
        """Whether it is the application's own code, as far as can be seen."""
        return _is_in_app(self.file, self.name)

    @property
    def location(self) -> str:
        """The same for the same function, whichever line, machine or release it is of."""
        return _format_location(self.file, self.name)


# Any stack is made of the same few frames again and again.
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
    """The file and the folder that it is in, where that is no folder of the machine's."""
    path_only = _URL_TAIL.sub("", _URL_SCHEME.sub("", path.replace("\\", "/")))
    *folders, file = _RELEASE_FOLDER.sub("", _DEPLOY_ROOT.sub("", path_only)).split("/")
    kept = [part for part in folders if not _VOLATILE_PART.match(part)]
    return "/".join((*kept[-1:], _CONTENT_HASH.sub("", file)))


def _normalize_name(name: str) -> str:
    for pattern, replacement in _COMPILER_NAMES:
        name = pattern.sub(replacement, name)
    return name.strip()
