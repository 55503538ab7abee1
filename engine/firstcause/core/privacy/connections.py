"""Secrets in addresses, connection strings, signed requests and command lines."""

from __future__ import annotations

import re

from firstcause.core.privacy.pattern_types import (
    JSON_QUOTE,
    JSON_REST,
    JSON_SPACE,
    MASKED,
    REGEX_FLAGS,
    TextPattern,
    substitute,
)
from firstcause.core.privacy.prose import is_absent

COMMAND_OPTIONS = {
    "curl": ("-u", "--user", "-U", "--proxy-user"),
    "wget": ("-u", "--user"),
    "http": ("-a", "--auth"),
    "mysql": ("-p",),
    "mysqldump": ("-p",),
    "mysqladmin": ("-p",),
    "mysqlimport": ("-p",),
    "mysqlsh": ("-p",),
    "mariadb": ("-p",),
    "mariadb-dump": ("-p",),
    "sshpass": ("-p",),
    "redis-cli": ("-a", "--pass"),
    "mongo": ("-p",),
    "mongosh": ("-p",),
    "mongodump": ("-p",),
    "mongorestore": ("-p",),
    "docker": ("-p",),
    "podman": ("-p",),
    "helm": ("-p",),
    "az": ("-p",),
    "ldapsearch": ("-w",),
    "ldapmodify": ("-w",),
    "ldapadd": ("-w",),
    "ldapwhoami": ("-w",),
    "sqlcmd": ("-P",),
    "bcp": ("-P",),
    "mosquitto_pub": ("-P",),
    "mosquitto_sub": ("-P",),
    "ipmitool": ("-P",),
    "unzip": ("-P",),
    "zip": ("-P",),
    "7z": ("-p",),
    "keytool": ("-storepass", "-keypass"),
    "smbclient": ("-U",),
    "snmpwalk": ("-A", "-X", "-c"),
    "snmpget": ("-A", "-X", "-c"),
}
"""Options that are followed by a password, or by a user, a colon or percent sign, and a password."""

_ATTACHED = frozenset(("-p", "-P", "-u", "-a", "-w"))
_PUBLISHED_PORT = re.compile(r"\d|[\w.-]+:\d{1,5}(?::\d|\Z)", re.ASCII)
_DIRECTORY_ID = re.compile(r"\d{1,10}(?::\d{1,10})?", re.ASCII)


def mask_option_value(command: str, option: str, value: str) -> str | None:
    """What stands after one of a command's own options, masked; None where it stays."""
    if is_absent(value) or (command in {"docker", "podman", "helm"} and _PUBLISHED_PORT.match(value)):
        return None
    user, sign, password = value.partition("%" if command == "smbclient" else ":")
    takes_user = option.lower() in {"-u", "--user", "--proxy-user"} or command == "http"
    if not takes_user:
        return MASKED
    if not sign or not password or is_absent(password) or _DIRECTORY_ID.fullmatch(value):
        return None
    return f"{user}{sign}{MASKED}"


def find_command(text: str) -> str | None:
    """The command that a path or a name is, if its own options take passwords."""
    name = text.rpartition("/")[2].removesuffix(".exe")
    return name if name in COMMAND_OPTIONS else None


def mask_arguments(arguments: list[str]) -> list[str]:
    """A list of a command's arguments, with what stands after its own options masked."""
    command = next((found for item in arguments[:2] if (found := find_command(item))), None)
    if command is None:
        return arguments
    masked, previous = [], ""
    for item in arguments:
        options = COMMAND_OPTIONS[command]
        if previous in options and not (previous == "-p" and command.startswith(("mysql", "maria"))):
            masked.append(mask_option_value(command, previous, item) or item)
        elif item[:2] in options and item[:2] in _ATTACHED and len(item) > len("-p1"):
            hidden = mask_option_value(command, item[:2], item[2:])
            masked.append(f"{item[:2]}{hidden}" if hidden else item)
        else:
            masked.append(item)
        previous = item
    return masked


_COMMANDS = "|".join(sorted(map(re.escape, COMMAND_OPTIONS), key=len, reverse=True))
_OPTIONS = "|".join(
    sorted({option for options in COMMAND_OPTIONS.values() for option in options}, key=len, reverse=True)
)
_COMMAND_LINE = re.compile(
    rf"(?<![\w.-])(?P<command>{_COMMANDS})(?:\.exe)?(?=[\s\"'])(?P<rest>[^\n|;]{{0,400}})", re.ASCII
)
_COMMAND_OPTION = re.compile(
    rf"(?P<before>[\s\"'](?P<option>{_OPTIONS}))(?P<gap>[\s\"',=\\]{{0,8}}+)(?P<value>[^\s\"',\\]{{3,}}+)",
    re.ASCII,
)


def _mask_command(match: re.Match[str]) -> str:
    command = match["command"]

    def mask_option(option: re.Match[str]) -> str:
        name, gap, value = option["option"], option["gap"], option["value"]
        is_spaced_mysql = name == "-p" and gap.strip("'\"\\") and command.startswith(("mysql", "maria"))
        is_joined_word = not gap and name not in _ATTACHED
        if name not in COMMAND_OPTIONS[command] or is_spaced_mysql or is_joined_word or value.startswith("-"):
            return option[0]
        masked = mask_option_value(command, name, value)
        return f"{option['before']}{gap}{masked}" if masked else option[0]

    start = match.start("rest") - match.start()
    return match[0][:start] + _COMMAND_OPTION.sub(mask_option, match["rest"])


def _mask_group(match: re.Match[str]) -> str:
    """Mask the group `value`, unless it is a placeholder."""
    start, end = (position - match.start() for position in match.span("value"))
    value = match["value"]
    return match[0] if is_absent(value) else f"{match[0][:start]}{MASKED}{match[0][end:]}"


def _build_pattern(
    name: str, regex: str, forms: tuple[str, ...], example: str, counterexample: str
) -> TextPattern:
    mask = substitute(re.compile(regex, REGEX_FLAGS), _mask_group)
    return TextPattern(name, mask, forms, example, counterexample)


_SIGNATURE = r"(?:sig|(?:x-(?:amz|goog|oss)-)?signature|x-amz-credential|x-goog-credential|hmac|s_?key|key)"

CONNECTION_PATTERNS = (
    _build_pattern(
        "password in a URL",
        r"://(?!\[)[^\s:/?#@\"'<>]{0,256}+:(?!\d{1,5}(?:[/?#\s\"'<>,;)]|\Z))"
        r"(?P<value>[^\s\"'<>@]{1,256}+(?:@[^\s\"'<>@/?#]{0,256}+(?=@))*+)@",
        (r'://[^ "]*@',),
        "redis://:only-a-password@cache:6379/0 refused", "postgresql://app@db.internal:5432/app refused",
    ),
    _build_pattern(
        "token in a URL",
        r"://(?P<value>(?=[\w-]{0,80}?\d)[\w-]{20,255}+(?=@[\w.-]{0,80}?(?:git|bitbucket|dev\.azure|gitea))"
        r"|(?=[\w-]{0,80}?\d)(?=[\w-]{0,80}?(?-i:[a-z]))(?=[\w-]{0,80}?(?-i:[A-Z]))[\w-]{16,255}+)@",
        (r"://[\w-]+@",),
        "clone of https://0a1b2c3d4e5f0a1b2c3d4e5f@github.com/acme/shop.git",
        "clone of https://git@github.com/acme/shop.git",
    ),
    _build_pattern(
        "password in an address",
        r"(?<![\w/.@:%-])[\w.+-]{1,64}+:(?P<value>(?!//)[^\s:@/\"'<>,;()\[\]{}=]{4,128}+)@"
        r"(?:(?:tcp|udp|unix)\(|(?!sha\d)[A-Za-z0-9][\w.-]{0,120}:\d{2,5}(?![\w.:]))",
        (r":[^\s:@/\"]+@",),
        "app:hunter2@tcp(db:3306)/shop refused", "image shop:v1.2.3@sha256:0a1b2c3d is gone",
    ),
    _build_pattern(
        "password in an address of Oracle",
        r"(?:(?<![\w/.@:-])|(?<=thin:)|(?<=oci:))[a-z][\w$#]{0,30}+/(?P<value>[^\s/@\"'<>]{3,64}+)@"
        r"(?=//[\w.-]|[\w.-]{1,120}:\d{2,5}[/:]\w|\(DESCRIPTION)",
        (r"/[^\s/@\"]+@",),
        "jdbc:oracle:thin:scott/tiger2@db:1521:orcl", "react/dom@18.2.0/index.js",
    ),
    _build_pattern(
        "password of a command of Oracle",
        r"\b(?:sqlplus|expdp|impdp|sqlldr|rman)\b[^\n]{0,40}?\s[a-z][\w$#]{0,30}/(?P<value>[^\s/@\"'<>]{3,64}+)(?=@|\s|\Z)",
        (rf"(?:sqlplus|expdp|impdp|sqlldr|rman){JSON_REST}/",),
        "sqlplus scott/tiger2@orcl failed", "sqlplus / as sysdba failed",
    ),
    _build_pattern(
        "password of a machine",
        r"\blogin\s{1,3}[^\s,;]{1,128}\s{1,3}password\s{1,3}(?P<value>\S++)",
        (r"login(?: |\\.){1,3}[^ ,;]+(?: |\\.){1,3}password",),
        "machine db.example.org login ann password hunter2", "login failed, password expired",
    ),
    _build_pattern(
        "line of a password file",
        r"(?<![\w.:])[\w.*-]{1,120}+:5\d{3}:[\w*-]{1,64}+:[\w.-]{1,64}+:(?P<value>[^\s:\"']{4,}+)",
        (r":5\d\d\d:[\w*-]+:[\w.-]+:",),
        "db.example.org:5432:shop:ann:hunter2", "at shop.c:5432:7",
    ),
    _build_pattern(
        "signature in a URL",
        rf"(?:[?&;,\s]|%26|^|&amp;){_SIGNATURE}=(?P<value>(?=[\w%+/.~-]{{0,60}}?\d)[\w%+/.~-]{{16,}}+=*+)",
        (rf"(?:^|[^a-z]|\\[tnrf]|%26|amp){_SIGNATURE}=",),
        "PUT https://x.blob.core.windows.net/a?sv=2022&sig=a1B2c3D4e5F6g7H8i9J0%3D",
        "index &sig=stable-and-long-word",
    ),
    _build_pattern(
        "code of an authorization in a URL",
        r"[?&](?:code|auth|jwt|pw|pass|ticket|assertion|client_assertion|oauth_verifier|nonce|state)="
        r"(?P<value>(?=[\w%+/.~-]{0,60}?\d)(?=[\w%+/.~-]{0,60}?[a-z])[\w%+/.~-]{10,}+)",
        (r"[?&](?:code|auth|jwt|pw|pass|ticket|assertion|client_assertion|oauth_verifier|nonce|state)=",),
        "GET /callback?code=4/0AbCdEf123456 failed", "GET /errors?code=not-found failed",
    ),
    _build_pattern(
        "webhook's URL",
        r"(?:hooks\.slack\.com/(?:services|workflows|triggers)|discord(?:app)?\.com/api/(?:v\d{1,2}/)?webhooks/\d{5,25}"
        r"|webhook\.office\.com/webhookb2|hooks\.zapier\.com/hooks/catch|hc-ping\.com|api\.opsgenie\.com/v1/json/\w{1,40}"
        r"|outlook\.office\.com/webhook|maker\.ifttt\.com/trigger/[\w-]{1,80}(?:/json)?/with/key"
        r"|open\.(?:feishu\.cn|larksuite\.com)/open-apis/bot/v2/hook|/hooks)/(?P<value>(?=[\w/@+-]{0,80}?\d)[\w/@+-]{16,}+)",
        (r"hooks?/", r"hooks\.", "webhookb2/", r"hc-ping\.com", r"opsgenie\.com", r"ifttt\.com"),
        "POST https://hooks.slack.com/services/T00000000/B00000000/x1y2z3x1y2z3x1y2z3x1y2z3 failed",
        "POST https://hooks.slack.com/services failed",
    ),
    _build_pattern(
        "secret after its authentication scheme",
        r"\b(?:Bearer|Basic|ApiKey|GenieKey),?\s{1,3}(?=[\w.~+/=-]{0,400}?(?:[0-9=+/_]|(?-i:[a-z][A-Z])))(?P<value>[\w.~+/=-]{8,}+)",
        ("(?:bearer|basic|apikey|geniekey),?(?: |\\\\.)",),
        "sent with bearer 9f8e7d6c5b4a3928 and refused", "basic authentication failed",
    ),
    _build_pattern(
        "secret of a protocol's login",
        r"(?:\bAUTH\s{1,3}(?:PLAIN|LOGIN|XOAUTH2|CRAM-MD5|SCRAM-SHA-\d{1,3})\s{1,3}|(?:^|[\n>\]:\"']\s{0,3})(?-i:PASS)\s{1,3}:?"
        r"|\b(?:requirepass|masterauth|-pass(?:in|out)\s{1,3}pass:|sasl_passwd)\s{0,3}[\"']?|(?-i:\b[A-Za-z]{0,4}\d{1,6}\sLOGIN)\s[\w.@\"-]{1,64}\s)(?P<value>[^\s\"']{4,}+)",
        (
            r"auth(?: |\\.){1,3}(?:plain|login|xoauth|cram|scram)", r"pass(?: |\\.){1,3}", "requirepass",
            "masterauth", r"-pass(?:in|out)", "sasl_passwd", r"(?-i:LOGIN)(?: |\\.)",
        ),
        "> AUTH PLAIN AGFubgBodW50ZXIy", "AUTH LOGIN is off",
    ),
    _build_pattern(
        "password of a command, by its position",
        r"(?<![\w-])(?:vault\s{1,3}login\s{1,3}|rabbitmqctl\s{1,3}(?:add_user|change_password)\s{1,3}[\w.-]{1,64}\s{1,3}"
        r"|htpasswd\s{1,3}-\w{0,5}b\w{0,5}\s{1,3}\S{1,200}\s{1,3}[\w.-]{1,64}\s{1,3}|/user:\S{1,64}\s{1,3}"
        r"|echo\s{1,3}(?:-n\s{1,3})?[\"']?(?=[^\s\"'|]{1,128}[\"']?\s{0,3}\|[^\n]{0,80}(?:stdin|passwd|sudo\s{1,3}-S)))"
        r"(?![-|<>])(?P<value>[^\s\"'|]{4,}+)",
        (
            r"(?:vault(?: |\\.){1,3}login|add_user|change_password)(?: |\\.)", r"htpasswd(?: |\\.)",
            r"/user:",
            r"echo(?: |\\.)",
        ),
        "vault login x1y2z3x1y2z3", "vault login -method=oidc",
    ),
    TextPattern(
        name="password among a command's options",
        mask=substitute(_COMMAND_LINE, _mask_command),
        prefilter=(rf"(?-i:(?:{_COMMANDS})(?:\.exe)?(?:{JSON_SPACE}|{JSON_QUOTE}){JSON_REST}(?:{_OPTIONS}))",),
        example="exit 1: mysqldump -uroot -phunter2 shop",
        counterexample="exit 1: docker run -p 8080:80 shop",
    ),
)  # fmt: skip
