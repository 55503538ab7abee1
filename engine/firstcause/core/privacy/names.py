"""The names under which secrets stand, in data and in texts, in English and in other languages."""

from __future__ import annotations

import re
from functools import lru_cache

from firstcause.core.privacy.pattern_types import JSON_REST, split_words

NAME_PARTS = (
    "password", "passwd", "passphrase", "passcode", "pwd", "pswd", "secret", "apikey", "accesskey",
    "privatekey",
    "authorization", "authtoken", "accesstoken", "cookie", "credential", "accountkey", "encryptionkey",
    "signingkey", "masterkey", "authkey", "licensekey", "storagekey", "routingkey", "integrationkey",
    "subscriptionkey", "deploykey", "sessionid", "sessionkey", "sessiontoken", "sessid",
    "psk", "presharedkey", "sshpass", "functionskey", "motdepasse", "contrasena", "passwort", "kennwort",
    "wachtwoord", "adgangskode", "katasandi", "samlresponse", "samlassertion",
)  # fmt: skip
"""Letters of a name, anywhere in it, whatever else stands between them."""

NAME_END = "token"
NAME_ENDS = (NAME_END, "bindpw", "rootpw", "userpw", "adminpw")
WHOLE_NAMES = ("pass", "auth", "session", "bearer", "jwt", "cvv", "cvc", "otp", "sid")
LAST_WORDS = (
    "pass", "passe", "pw", "mdp", "clave", "senha", "parola", "haslo", "losenord", "passord", "salasana",
    "heslo",
    "jelszo", "sifre", "parool", "lozinka", "geslo", "slaptazodis", "parole", "auth", "matkhau",
)  # fmt: skip
"""Letters of names under which secrets stand: at the end; alone; as the last word."""

FOREIGN_PARTS = (
    "contraseña", "contrasen\u0303a", "hasło", "lösenord", "lo\u0308senord", "jelszó", "şifre", "s\u0327ifre",
    "slaptažodis", "mật khẩu", "пароль", "密码", "密碼", "口令", "パスワード", "暗証番号", "비밀번호", "암호",
    "סיסמה", "סיסמא", "كلمة المرور", "كلمة السر", "رمز عبور", "รหัสผ่าน", "पासवर्ड", "συνθηματικό",
)  # fmt: skip
"""Words with other letters, in lower case, anywhere in a name."""

_METADATA_WORDS = split_words(
    "age alg algorithm arn at attempts audience budget changed class column count counts created days "
    "domain enabled encoding endpoint error errors exception expiration expired expires expiry exists "
    "failed failure field fields file filename forbidden format found id_type in index invalid issuer "
    "kind len length limit manager max message min missing mode name names offset param parameter path "
    "policy pos position provider ref required requirements resource retries rotation rounds samesite "
    "scope scopes service size source stat state stats stdin env status store strategy strength timeout "
    "encoder decoder hasher generator factory repository "
    "total ttl type types unit updated uri url usage used valid validator version warning window"
)
"""Last words of names under which something about a secret stands, and not the secret."""

_POSITION_WORDS = split_words(
    "cancellation cancel lock fencing sync continuation continue page next previous prev last resume "
    "cursor start end stop unexpected lexer punctuation keyword change watch"
)
"""Words before "token" for one that says where to go on, and lets nobody in."""

_QUESTION_WORDS = split_words(
    "has is are no num max min total missing needs requires require use uses existing"
)
_REFERENCE_WORDS = frozenset({"pull"})
"""Words in names of lists of names of secrets, such as `imagePullSecrets` of Kubernetes."""

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_NON_WORD = re.compile(r"[^a-z0-9]", re.ASCII)
_MAX_CACHED_LENGTH = 64


def is_secret_name(name: str) -> bool:
    """Whether what stands under this name is a secret, whatever it looks like."""
    # Names repeat from event to event. Long ones are not kept, so that memory stays bounded.
    return _match_name_cached(name) if len(name) <= _MAX_CACHED_LENGTH else _match_name(name)


def _match_name(name: str) -> bool:
    lower = name.lower()
    if not name.isascii() and any(part in lower for part in FOREIGN_PARTS):
        return True
    letters = _NON_WORD.sub("", lower)
    words = [word.lower() for word in _WORD.findall(name)]
    if not words or words[-1] in _METADATA_WORDS or words[0] in _QUESTION_WORDS:
        return False
    if _REFERENCE_WORDS.intersection(words):
        return False
    if words[-1] == NAME_END and any(word in _POSITION_WORDS for word in words[:-1]):
        return False
    return (
        letters in WHOLE_NAMES
        or letters.endswith(NAME_ENDS)
        or words[-1] in LAST_WORDS
        or any(part in letters for part in NAME_PARTS)
    )


_match_name_cached = lru_cache(maxsize=4096)(_match_name)


def _foreign_forms(word: str) -> str:
    """The bytes of a word in small and in capital letters, as a form of RE2 in Latin-1."""
    forms = []
    for char in word:
        spellings = {char, char.upper()} if len(char.upper()) == 1 else {char}
        encoded = (spelling.encode().decode("latin-1") for spelling in sorted(spellings))
        forms.append(f"(?:{'|'.join(map(re.escape, encoded))})")
    return "".join(forms)


# Names are compared by their letters alone, so between two letters stands anything else that JSON may hold.
_BETWEEN_LETTERS = r'(?:[^a-z0-9"\\]|\\.)*'
_SPREAD_NAMES = (*NAME_PARTS, NAME_END, *WHOLE_NAMES)
FOREIGN_REGEX = "|".join(map(_foreign_forms, FOREIGN_PARTS))
NAME_REGEX = "|".join((*map(_BETWEEN_LETTERS.join, _SPREAD_NAMES), *LAST_WORDS, FOREIGN_REGEX))
"""A form of RE2 that matches within the JSON of each name of a secret."""

NAME_REST = rf'{JSON_REST}"'


# The same names within a text, where a name has no end of its own.
_BETWEEN_WORDS = "[_-]?"
_TEXT_NAMES = (
    r"pass(?:word|wd|phrase|code)s?|pwd|pswd|psk|secret|token|cookie|credentials?|authorization|"
    r"(?:api|access|private|account|encryption|signing|master|auth|license|storage|routing|integration|"
    r"subscription|deploy|session|functions|pre-?shared)[_-]?key|sshpass|sess(?:ion)?[_-]?id|"
    r"mot[ _-]?de[ _-]?passe|contrasena|passwort|kennwort|wachtwoord|adgangskode|kata[ _-]?sandi"
    r"|saml(?:response|assertion)"
)
_WHOLE_WORDS = "|".join(sorted({*WHOLE_NAMES, *LAST_WORDS}))
_SHORT_WORDS = "pass|pw|auth"
TEXT_NAME_REGEX = (
    rf"(?:{_TEXT_NAMES}|(?<![a-z])(?:{_WHOLE_WORDS})(?![a-z0-9])"
    rf"|(?:(?<=bind)|(?<=root)|(?<=user)|(?<=admin))pw(?![a-z0-9])"
    rf"|(?<=(?-i:[a-z]))(?=(?-i:[A-Z]))(?:{_SHORT_WORDS})(?![a-z0-9]))"
)
"""What a name of a secret contains where it stands in a text; `is_secret_name` tells of the whole name."""

TEXT_NAME_FORM = rf"(?:{_TEXT_NAMES}|(?:{_WHOLE_WORDS})|{FOREIGN_REGEX})"
"""The same for RE2 in JSON."""


def _match_foreign_char(char: str) -> str:
    """A regex for a letter, small or capital, as it is or as JSON in ASCII writes it."""
    spellings = sorted({char, char.upper()} if len(char.upper()) == 1 else {char})
    escapes = [rf"\\{{1,31}}u{ord(spelling):04x}" for spelling in spellings if not spelling.isascii()]
    return f"(?:{'|'.join([*map(re.escape, spellings), *escapes])})"


FOREIGN_TEXT_REGEX = "|".join("".join(map(_match_foreign_char, part)) for part in FOREIGN_PARTS)
_ESCAPED_CHAR = re.compile(r"\\{1,31}u([0-9a-fA-F]{4})")


def decode_name(name: str) -> str:
    """A name without the escapes of JSON in ASCII."""
    return _ESCAPED_CHAR.sub(lambda match: chr(int(match[1], 16)), name)
