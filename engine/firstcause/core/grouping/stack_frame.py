"""One frame of a stack: whose code it is, and what of it stays when the code is deployed anew."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

NOT_OURS_FILES = (
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

_JAVA = (
    r"(?:javax?|jakarta|jdk|sun|com\.sun|kotlinx?|scala|groovy|clojure)\.",
    r"org\.(?:apache|springframework|hibernate|eclipse|jboss|junit|postgresql|mariadb|slf4j|mockito)\.",
    r"(?:io\.(?:netty|micrometer|undertow|vertx|grpc|reactivex|quarkus)|reactor|com\.zaxxer|com\.fasterxml)\.",
    r"(?:com\.google\.common|com\.google\.inject|com\.mysql|okhttp3|retrofit2|akka|play\.api)\.",
)
_NET = (r"(?:System|Microsoft|Npgsql|Newtonsoft|MySql|Grpc)\.",)
_GO = (
    r"(?:runtime|net|os|io|fmt|sync|time|bufio|context|reflect|syscall|testing)(?:/[\w/-]+)?\.",
    r"(?:encoding|database|crypto|internal|log|path|sort|strconv|strings|bytes|errors)(?:/[\w/-]+)?\.",
    r"panic$",
)
NOT_OURS_NAMES = {"": (*_JAVA, *_NET), ".cs": _NET, ".go": _GO}
"""The code of others by the beginning of a function's full name, by the ending of the file; "": no file."""

_NOT_OURS_FILE = re.compile("|".join(NOT_OURS_FILES))
_NOT_OURS_NAME = {ending: re.compile("|".join(names)) for ending, names in NOT_OURS_NAMES.items()}

_SCHEME = re.compile(r"^\w[\w+.-]*://[^/]*")
_TAIL = re.compile(r"[?#].*$")
# Where code is put, which differs from machine to machine and from release to release.
_ROOT = re.compile(
    r"^(?:[A-Za-z]:)?/(?:(?:home|Users)/[^/]+|(?:private/)?(?:var/(?:www|task|lib)|tmp)|usr/(?:src|local)"
    r"|app|build|code|data|mnt|opt|root|srv|workspace)(?=/)"
)
_RELEASE = re.compile(r"^.*/(?:releases/[^/]+|current)(?=/)")
_CHANGING = re.compile(
    r"^(?:[A-Za-z]:|\d{6,}[\w.-]*|v?\d+\.\d+[\w.-]*|(?=[0-9a-f]*\d)[0-9a-f]{7,}|\.{0,2}|~)$"
)
_HASH = re.compile(r"[.-](?=[0-9a-f]*\d)[0-9a-f]{6,}(?=\.)")
_BUILT = (
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
    def ours(self) -> bool:
        """Whether it is the application's own code, as far as can be seen."""
        return _is_ours(self.file, self.name)

    @property
    def place(self) -> str:
        """The same for the same function, whichever line, machine or release it is of."""
        return _place(self.file, self.name)


# Any stack is made of the same few frames again and again.
@lru_cache(maxsize=4096)
def _is_ours(file: str, name: str) -> bool:
    if _NOT_OURS_FILE.search(file.replace("\\", "/")):
        return False
    names = _NOT_OURS_NAME.get(file[file.rfind(".") :] if "." in file else "")
    return names is None or not names.match(name)


@lru_cache(maxsize=4096)
def _place(file: str, name: str) -> str:
    return f"{_file(file)}:{_name(name)}"


def _file(path: str) -> str:
    """The file and the folder that it is in, where that is no folder of the machine's."""
    plain = _TAIL.sub("", _SCHEME.sub("", path.replace("\\", "/")))
    *folders, file = _RELEASE.sub("", _ROOT.sub("", plain)).split("/")
    kept = [part for part in folders if not _CHANGING.match(part)]
    return "/".join((*kept[-1:], _HASH.sub("", file)))


def _name(name: str) -> str:
    for pattern, by in _BUILT:
        name = pattern.sub(by, name)
    return name.strip()
