"""One frame of a stack: whether it is the application's code, and its location across deployments."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from firstcause.core.grouping.source_file import normalize_file

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
    r"^turbopack://",
    r"^(?:ext|bun):",
    r"^self-hosted$",
    # Go
    r"/pkg/mod/",
    r"/vendor/",
    # Java, PHP
    r"^<generated>$",
    r"^\[internal function\]$",
    # Rust
    r"/rustc/[0-9a-f]",
    r"/\.cargo/(?:registry|git)/",
    r"/rustlib/src/",
    # C, C++, Swift, Dart, Elixir
    r"(?:^|/)(?:usr/)?lib(?:64|32)?/(?:[\w-]+/)?lib[\w+.-]+\.so",
    r"(?:^|/)(?:nptl|csu|stdlib|sysdeps|libsanitizer)/",
    (
        r"^(?:libswift\w*|libsystem_\w+|libdispatch|libobjc\S*|dyld|UIKit(?:Core)?|SwiftUI|AttributeGraph"
        r"|(?:Core)?Foundation)(?:\.so|\.dylib)?$"
    ),
    r"^(?:dart:|package:(?:flutter\w*|bloc|provider|riverpod|dio|http|get|sentry\w*)/)",
    r"(?:^|/)deps/\w+/(?:lib/|src/|\w+\.erl$)",
    # Ruby
    r"/gems/",
    r"/lib/ruby/",
    r"^<internal:",
)
"""Patterns of files that are library code."""

_JAVA_LIBRARIES = (
    r"(?:javax?|jakarta|android|androidx|dalvik|com\.android|jdk|sun|com\.sun|kotlinx?|scala|groovy|clojure)\.",
    r"org\.(?:apache|springframework|hibernate|eclipse|jboss|junit|postgresql|mariadb|slf4j|mockito)\.",
    r"(?:io\.(?:netty|micrometer|undertow|vertx|grpc|reactivex|quarkus)|reactor|com\.zaxxer|com\.fasterxml)\.",
    r"(?:com\.google\.common|com\.google\.inject|com\.mysql|okhttp3|retrofit2|akka|play\.api)\.",
)
_DOTNET_LIBRARIES = (r"(?:System|Microsoft|Npgsql|Newtonsoft|MySql|Grpc)\.",)
_RUST_LIBRARIES = (
    r"\?\?$",
    r"<?&?(?:mut )?(?:core|std|alloc|tokio|futures\w*|hyper|tower|axum|rayon|anyhow|backtrace|tracing)::",
    r"<?_?(?:__rust\w*|rust_\w+|__libc_\w+|_start$|start_thread$|clone3?$)",
    r"<?actix\w*::|<(?:\w+|\[\w+\]) as core::",
)
_OTP_LIBRARIES = (
    r":?'?(?:lists|maps|sets|ets|gen|gen_server|gen_statem|gen_event|proc_lib|supervisor|erl_eval)'?[:.]",
    r":?'?(?:erlang|escript|init|timer|application_master|shell|io|file|binary|string)'?[:.]",
)
_GO_LIBRARIES = (
    r"(?:runtime|net|os|io|fmt|sync|time|bufio|context|reflect|syscall|testing)(?:/[\w/-]+)?\.",
    r"(?:encoding|database|crypto|internal|log|path|sort|strconv|strings|bytes|errors)(?:/[\w/-]+)?\.",
    r"panic$",
)
LIBRARY_NAMES = {
    "": (*_JAVA_LIBRARIES, *_DOTNET_LIBRARIES, *_RUST_LIBRARIES),
    ".cs": _DOTNET_LIBRARIES,
    ".go": _GO_LIBRARIES,
    ".rs": _RUST_LIBRARIES,
    ".erl": _OTP_LIBRARIES,
}
"""Patterns of full function names that are library code, by the ending of the file; "" for no file."""

_LIBRARY_FILE = re.compile("|".join(LIBRARY_FILES))
_LIBRARY_NAME = {ending: re.compile("|".join(names)) for ending, names in LIBRARY_NAMES.items()}

_ENTRY_POINT = r"(?:main|Main|<Main>\$)"
# A function without a name counts as the one that it is written in. Only in the entry point, where small web
# applications write all their handlers, its number stays: it is all that tells the handlers apart.
_COMPILER_NAMES = (
    # Java: proxies, lambdas, classes without a name
    (
        re.compile(r"(?:Generated(?:Method|Constructor)Accessor|\$Proxy|LambdaForm\$\w+/0x)[0-9a-f]+"),
        "*",
    ),
    (re.compile(r"\$\$Lambda.*|\$\$[A-Z]\w*\$\$\w+|\$MockitoMock\$\d+|\$\$(?:FastClass|Enhancer)\w*"), ""),
    (re.compile(rf"(?<![$\w])lambda\$({_ENTRY_POINT})\$(\d+)"), r"\1#\2"),
    (re.compile(r"(?<![$\w])lambda\$([\w$]+?)\$\d+"), r"\1"),
    # Kotlin, Scala, Groovy, Clojure
    (re.compile(rf"({_ENTRY_POINT})\$lambda\$(\d+)(?:\$lambda\$\d+)*"), r"\1#\2"),
    (re.compile(r"(?:\$lambda\$\d+)+|\$(?:fn|reify|eval)__\d+|_closure\d+"), ""),
    (re.compile(r"\$anonfun\$(\w+?)\$\d+"), r"\1"),
    (re.compile(r"(?:\$\d+)+(?=\.|$)"), ""),
    # .NET: bodies of async functions, lambdas, local functions, generic types
    (re.compile(r"\.?<>c(?:__DisplayClass[\d_]+)?(?:`\d+)?(?:<[\w,]+>)?(?=\.)"), ""),
    (re.compile(r"<(.+)>d(?:__\d+)?(?:`\d+)?(?:\[[^\]]*\])?\.MoveNext$"), r"\1"),
    (re.compile(rf"<({_ENTRY_POINT})>b__(?:\d+_)?(\d+)(?:_\d+)?"), r"\1#\2"),
    (re.compile(r"<([\w.$]+|<Main>\$)>b__[\d_]+"), r"\1"),
    (re.compile(r"<(?:[\w.$]+|<Main>\$)>g__(\w+)\|[\d_]+"), r"\1"),
    (re.compile(r"`\d+|\[[\w,.`]*\](?=$|\.)|(?<=\w)@(?:\d+(?:-\d+)*|$)"), ""),
    # Closures of Go
    (re.compile(r"^main\.main\.func(\d+)(?:\.\d+)*$"), r"main.main#\1"),
    (re.compile(r"(?:\.func\d+(?:\.\d+)*|\.gowrap\d+|\.deferwrap\d+|-fm|-range\d+)+$"), ""),
    (re.compile(r"\[\.\.\.\]"), ""),
    # Rust, Swift, Dart, Elixir, PHP: closures
    (re.compile(r"::h[0-9a-f]{16}$"), ""),
    (re.compile(r"(?:::(?:\{\{closure\}\}|\{closure(?:_env)?#\d+\}))+"), ""),
    (re.compile(r"^(?:(?:implicit )?closure #\d+ (?:\([^()]*\) )?in )+"), ""),
    (re.compile(r"(?:\.<(?:anonymous closure|fn)>)+"), ""),
    (re.compile(r"^(?:anonymous fn/\d+|fn/\d+) in "), ""),
    (re.compile(r"(\{closure:[^}]*?):\d+\}"), r"\1}"),
    (re.compile(r"^(?:(?:block|rescue|ensure)(?: \(\d+ levels\))? in )+"), ""),  # Ruby
    # JavaScript, Python
    (re.compile(r"^(?:async |new )+|^Object\.(?=<anonymous>)"), ""),
    (re.compile(r"^(?:.*\.)?<(?:anonymous|lambda)>$"), "<anonymous>"),
    (re.compile(r"\.<locals>"), ""),
)
_REPORTER_NAME = re.compile(
    r"(?:^|[.:>/)$])(?:log|logger|report|capture|notify|send|track|write|handle|emit)_?"
    r"(?:err|errors?|exceptions?|fatal|failure|(?:log_?)?entry)(?:f|w|ln|_?context|_?handler)?$"
    r"|\b(?:log|logger|logging|console)[.:>/)]{1,3}(?:err|error|exception|fatal|critical|warn|panic)\w{0,2}$"
    r"|(?:^|[.:>/)$])capture_?(?:message|event)$",
    re.IGNORECASE,
)
_REPORTER_FILE = re.compile(
    r"(?:^|/)(?:sentry|rollbar|bugsnag|honeybadger|raven|logger|logging|error[-_]?report(?:er|ing)|reporter)"
    r"\.\w{1,5}$",
    re.IGNORECASE,
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
    def is_reporter(self) -> bool:
        """Whether the function only reports errors of others, as far as file and name tell."""
        return _is_reporter(self.file, self.name)

    @property
    def location(self) -> str:
        """File and function, the same on every machine and in every release."""
        return _format_location(self.file, self.name)


# Most stacks consist of the same few frames.
@lru_cache(maxsize=4096)
def _is_in_app(file: str, name: str) -> bool:
    if _LIBRARY_FILE.search(file.replace("\\", "/")) or _is_reporter(file, name):
        return False
    names = _LIBRARY_NAME.get(file[file.rfind(".") :] if "." in file else "")
    return names is None or not names.match(name)


@lru_cache(maxsize=4096)
def _is_reporter(file: str, name: str) -> bool:
    return bool(_REPORTER_NAME.search(name) or _REPORTER_FILE.search(file.replace("\\", "/")))


@lru_cache(maxsize=4096)
def _format_location(file: str, name: str) -> str:
    return f"{normalize_file(file)}:{_normalize_name(name)}"


def _normalize_name(name: str) -> str:
    for pattern, replacement in _COMPILER_NAMES:
        name = pattern.sub(replacement, name)
    return name.strip()
