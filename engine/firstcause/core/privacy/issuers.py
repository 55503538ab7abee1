"""The table of the shapes that issuers give their keys, so that one is found without a name before it.

The facts (prefix, alphabet, length) are those of the issuers' documentation, compared in part with these two
collections; no expression is copied from them:
gitleaks, config/gitleaks.toml at commit 009e025ad410; detect-secrets 1.5.0, detect_secrets/plugins.
Lengths are lower bounds below the documented ones: keys that are cut off are masked too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from firstcause.core.privacy.pattern_types import MASKED, WORD_START, TextPattern, in_json, substitute

_MAX_FORM_LENGTH = 8
"""Characters of a body that the prefilter looks at. Longer counts make its automaton large."""


@dataclass(frozen=True)
class Shape:
    """The look of one issuer's keys.

    prefixes: plain texts, one of which begins the key.
    alphabet: the characters after the prefix, as in a regex's brackets. least: how many of them, at least.
    needs_digit: whether a digit is among them, where words may follow the same prefix.
    """

    issuer: str
    prefixes: tuple[str, ...]
    alphabet: str = r"\w"
    least: int = 16
    needs_digit: bool = True


_HEX = "0-9a-f"
_ANY_HEX = "0-9A-Fa-f"
_WORD = r"\w-"
_DOTTED = r"\w.-"
_BASE64 = r"\w+/=.-"

SHAPES = (
    # Code and packages
    Shape("GitHub", ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"), _DOTTED),
    Shape(
        "GitLab",
        ("glpat-", "gldt-", "glrt-", "glcbt-", "glptt-", "glft-", "glimt-", "glagent-", "gloas-", "glsoat-",
         "glffct-", "GR1348941"),
        _DOTTED,
    ),
    Shape("Bitbucket and Atlassian", ("ATBB", "ATATT3", "ATCTT3"), r"\w=.-"),
    Shape("npm", ("npm_",)),
    Shape("PyPI", ("pypi-A",), _WORD),
    Shape("RubyGems", ("rubygems_",), _HEX),
    Shape("crates.io", ("cio",), "A-Za-z0-9", 32),
    Shape("NuGet", ("oy2",), "a-z0-9", 43),
    Shape("Clojars", ("CLOJARS_",)),
    Shape("Docker", ("dckr_pat_", "dckr_oat_"), _WORD),
    Shape("Artifactory", ("AKCp", "cmVmd"), "A-Za-z0-9", 40),
    Shape("SonarQube", ("sqp_", "squ_", "sqa_"), _HEX, 40),
    Shape("Buildkite", ("bkua_", "bkaa_", "bkct_")),
    Shape("CircleCI", ("CCIPAT_", "CCIPRJ_")),
    Shape("Sourcegraph", ("sgp_",)),
    Shape("Postman", ("PMAK-",), _WORD),
    Shape("Octopus Deploy", ("API-",), "A-Z0-9", 26),
    # Models
    Shape("OpenAI and Anthropic", ("sk-",), _DOTTED),
    Shape("Hugging Face", ("hf_", "api_org_")),
    Shape("Groq", ("gsk_",)),
    Shape("Mapbox", ("sk.ey", "tk.ey"), _DOTTED, 30),
    Shape("Replicate", ("r8_",)),
    Shape("Perplexity", ("pplx-",)),
    Shape("xAI", ("xai-",)),
    Shape("Pinecone", ("pcsk_",)),
    Shape("LangSmith", ("lsv2_pt_", "lsv2_sk_")),
    Shape("ElevenLabs", ("sk_",), _HEX, 40),
    # Clouds and platforms
    Shape("AWS", ("AKIA", "ASIA", "ABIA", "ACCA"), "A-Z0-9", 16, needs_digit=False),
    Shape("Amazon Bedrock", ("ABSK",), _BASE64, 40),
    Shape("Google API key", ("AIza",), _DOTTED),
    Shape("Google OAuth", ("ya29.", "GOCSPX-", "1//0"), _DOTTED),
    Shape("Alibaba Cloud", ("LTAI",), "A-Za-z0-9", 12),
    Shape("Tencent Cloud", ("AKID",), "A-Za-z0-9", 28),
    Shape("Yandex Cloud", ("AQVN",), _WORD, 32),
    Shape("DigitalOcean", ("dop_v1_", "doo_v1_", "dor_v1_"), _HEX),
    Shape("Heroku", ("HRKU-",), _WORD),
    Shape("Fly", ("fo1_", "fm1_", "fm1r_", "fm1a_", "fm2_"), _BASE64),
    Shape("Netlify", ("nfp_",)),
    Shape("Render", ("rnd_",), _DOTTED),
    Shape("Scalingo", ("tk-us-",), _WORD),
    Shape("Cloudflare", ("v1.0-",), rf"{_HEX}-", 40),
    Shape("Tailscale", ("tskey-",), _WORD),
    Shape("HashiCorp Vault", ("hvs.", "hvb.", "hvr."), _WORD),
    Shape("HashiCorp Vault before 1.10", ("s.",), "A-Za-z0-9", 24),
    Shape("Pulumi", ("pul-",), _HEX),
    Shape("Doppler", ("dp.pt.", "dp.st.", "dp.ct.", "dp.sa.", "dp.scim.", "dp.audit."), _DOTTED),
    Shape("1Password", ("ops_eyJ", "A3-"), _BASE64, 26),
    Shape("age", ("AGE-SECRET-KEY-1",), "A-Z0-9", needs_digit=False),
    Shape("OpenShift", ("sha256~",), _WORD, 32),
    Shape("Prefect", ("pnu_",)),
    # Data
    Shape("Databricks", ("dapi",), rf"{_HEX}-", 32),
    Shape("PlanetScale", ("pscale_tkn_", "pscale_oauth_", "pscale_pw_"), _DOTTED),
    Shape("Supabase", ("sbp_", "sb_secret_"), _WORD),
    Shape("Neon", ("napi_",)),
    Shape("Airtable", ("pat",), r"A-Za-z0-9.", 60),
    Shape("Notion", ("ntn_",)),
    Shape("Notion before 2024", ("secret_",), "A-Za-z0-9", 40),
    Shape("Contentful", ("CFPAT-",), _WORD),
    Shape("Linear", ("lin_api_", "lin_oauth_")),
    Shape("Figma", ("figd_", "figo_"), _WORD),
    Shape("Typeform", ("tfp_",), _DOTTED),
    Shape("ReadMe", ("rdme_",)),
    Shape("Adobe", ("p8e-",), _WORD),
    # Monitoring
    Shape("Grafana", ("glsa_", "glc_"), _BASE64),
    Shape("New Relic", ("NRAK-", "NRII-", "NRJS-", "NRAL-", "NRSP-", "NRRA-"), _WORD),
    Shape("Sentry", ("sntrys_", "sntryu_", "sntrya_", "sntryi_"), _BASE64),
    Shape("Honeycomb", ("hcaik_", "hcaic_", "hcbik_", "hcalk_")),
    Shape("Dynatrace", ("dt0c01.", "dt0s16.", "dt0s01."), _DOTTED),
    # Messages and payment
    Shape("Slack", (*(f"xox{kind}-" for kind in "abceoprs"), "xapp-"), _DOTTED),
    Shape("SendGrid", ("SG.",), _DOTTED),
    Shape("Brevo", ("xkeysib-", "xsmtpsib-"), _WORD),
    Shape("Mailgun", ("key-",), _HEX, 32),
    Shape("Resend", ("re_",), r"\w", 24),
    Shape("Twilio API key", ("SK",), _ANY_HEX, 32),
    Shape("Stripe", ("sk_live_", "sk_test_", "sk_prod_", "rk_live_", "rk_test_", "rk_prod_"), _BASE64),
    Shape("Stripe and Svix", ("whsec_",), _BASE64),
    Shape("Square and Facebook", ("sq0atp-", "sq0csp-", "EAA"), _WORD, 22),
    Shape("Shopify", ("shpat_", "shpca_", "shppa_", "shpss_", "shptka_"), _ANY_HEX),
    Shape("Shippo", ("shippo_live_", "shippo_test_"), _HEX),
    Shape("EasyPost", ("EZAK", "EZTK"), "A-Za-z0-9", 50),
    Shape("Flutterwave", ("FLWSECK",), r"\w-"),
    Shape("Duffel", ("duffel_live_", "duffel_test_"), _WORD),
    Shape("Plaid", ("access-sandbox-", "access-development-", "access-production-"), f"{_HEX}-"),
    Shape("LaunchDarkly", ("sdk-", "api-"), f"{_HEX}-", 36),
)  # fmt: skip


def _build_pattern(shape: Shape) -> TextPattern:
    prefixes = "|".join(map(re.escape, shape.prefixes))
    digit = rf"(?=[{shape.alphabet}]{{0,128}}?[0-9])" if shape.needs_digit else ""
    regex = rf"{WORD_START}(?:{prefixes}){digit}[{shape.alphabet}]{{{shape.least}}}[{shape.alphabet}]*+"
    form = rf"(?:{prefixes})[{shape.alphabet}]{{{min(shape.least, _MAX_FORM_LENGTH)}}}"
    letters = "0A1B2C3D" if "A-Z" in shape.alphabet or "A-F" in shape.alphabet else "0a1b2c3d"
    return TextPattern(
        name=f"key of {shape.issuer}",
        mask=substitute(re.compile(regex, re.ASCII), MASKED),
        prefilter=(in_json(form),),
        example=f"refused {shape.prefixes[0]}{letters * (shape.least // 8 + 1)}",
        counterexample=f"refused {shape.prefixes[0]} and no more",
    )


def _build_look(name: str, regex: str, form: str, example: str, counterexample: str) -> TextPattern:
    mask = substitute(re.compile(regex, re.ASCII), MASKED)
    return TextPattern(name, mask, (form,), example, counterexample)


ACCOUNT_PATTERN = TextPattern(
    name="Twilio account",
    # The first digits say which account it is.
    mask=substitute(
        re.compile(rf"{WORD_START}(AC[0-9a-f]{{2}})[0-9a-f]{{30}}(?![0-9a-f])", re.ASCII),
        rf"\1…{MASKED}",
    ),
    prefilter=(in_json("AC[0-9a-f]{16}"),),
    example="account AC0123456789abcdef0123456789abcdef",
    counterexample="ACCOUNT AC01",
)

_JWT = r"eyJ[\w-]{10}"

ISSUER_PATTERNS = (
    ACCOUNT_PATTERN,
    *map(_build_pattern, SHAPES),
    _build_look(
        "JSON Web Token", rf"{_JWT}[\w-]*+(?:\.[\w-]*+)*+", f"(?-i:{_JWT})",
        "refused eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N", "eyJects seven",
    ),
    _build_look(
        "client secret of Microsoft Entra", r"(?<![\w~.-])[\w~.]{3}\dQ~[\w~.-]{24,40}+", r"\dQ~",
        "refused a1B8Q~" + "x0y1z2w3" * 4, "3Q~ of it",
    ),
    _build_look(
        "key of Mailchimp", r"(?<![0-9A-Za-z])[0-9a-f]{32}-us\d{1,2}(?!\w)", r"[0-9a-f]-us\d",
        "refused 0123456789abcdef0123456789abcdef-us12", "region eu-us1 of 01234567-us12",
    ),
    _build_look(
        "license key of New Relic", r"(?<![0-9A-Za-z])[0-9a-f]{36}NRAL(?!\w)", "(?-i:[0-9a-f]NRAL)",
        "refused " + "0a1b2c3d4e5f" * 3 + "NRAL", "the NRAL is cold",
    ),
    _build_look(
        "token of Terraform Cloud", r"(?<![0-9A-Za-z])[A-Za-z0-9]{14}\.atlasv1\.[\w=-]{24,}+",
        r"\.atlasv1\.", "refused a1B2c3D4e5F6g7.atlasv1." + "a1B2c3D4" * 8, "the API is x.atlasv1.y",
    ),
    _build_look(
        "token of a Discord bot", r"(?<![\w-])[MNO][\w-]{23,27}\.[\w-]{6}\.[\w-]{27,40}(?![\w-])",
        r"\.[\w-]{6}\.[\w-]{27}", "refused M" + "a1B2c3" * 4 + ".Xy1z2w." + "a1B2c3D4e" * 3,
        "Module.import.statement",
    ),
    _build_look(
        "token of a Telegram bot", r"(?<![0-9A-Za-z])(?:bot)?\d{6,16}:A[\w-]{34}(?![\w-])",
        r"\d{6}:A[\w-]{8}", "refused 123456789:AA" + "a1B2c3D4e5F" * 3, "at 12345678:Alpha",
    ),
    _build_look(
        "hash of a password",
        r"\$(?:2[abxy]|[156y]|apr1|argon2(?:id?|d)|scrypt|pbkdf2[\w-]{0,10})\$[\w./$=,+-]{16,}+",
        r"\$(?:2[abxy]|[156y]|apr1|argon2(?:id?|d)|scrypt|pbkdf2[\w-]{0,10})\$[\w./$=,+-]{8}",
        "ann has $2y$12$" + "a1B2c3D4e5F6" * 4, "it costs $1$ or $5$",
    ),
    _build_look(
        "PEM private key",
        r"-----BEGIN [A-Z0-9 ]{0,40}?PRIVATE KEY(?: BLOCK)?-----[^-]*+(?:-(?!----)[^-]*+)*+"
        r"(?:-----END [A-Z0-9 ]{0,40}?PRIVATE KEY(?: BLOCK)?-----)?+",
        "PRIVATE KEY",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA7bq\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIUe\n-----END CERTIFICATE-----",
    ),
)  # fmt: skip
