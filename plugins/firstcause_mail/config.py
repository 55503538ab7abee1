"""`[plugins.mail]`."""

from __future__ import annotations

import ssl
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

_DEFAULT_PORTS = {"starttls": 587, "tls": 465, "none": 25}

Address = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*$")
]
"""A plain address, without a name."""


class Config(BaseModel):
    """The mail server and whom to write to; without host no mail is sent.

    port: None for the usual one of `security`. ca: certificates in PEM to trust in place of the system's.
    ca_file: the path of a file with such certificates. timeout: seconds for one answer of the server.
    """

    model_config = ConfigDict(extra="forbid")

    host: str | None = Field(default=None, min_length=1)
    port: int | None = Field(default=None, ge=1, le=65535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    ca: str | None = None
    ca_file: str | None = None
    username: str | None = None
    password: SecretStr | None = None
    from_address: Address | None = None
    to: list[Address] = Field(default_factory=list)
    timeout: float = Field(default=10.0, gt=0, le=120)

    @field_validator("ca")
    @classmethod
    def _check_certificates(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=value)
            except (ssl.SSLError, ValueError):
                raise ValueError("no certificate in PEM") from None
        return value

    @field_validator("ca_file")
    @classmethod
    def _check_certificate_file(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=value)
            except ssl.SSLError:
                raise ValueError(f"no certificate in PEM in {value}") from None
            except OSError as error:
                raise ValueError(f"{value} cannot be read: {error.strerror}") from None
        return value

    @model_validator(mode="after")
    def _check_complete(self) -> Self:
        required = {"host": self.host, "from_address": self.from_address, "to": self.to}
        missing = [name for name, value in required.items() if not value]
        if self.model_fields_set and missing:
            raise ValueError(f"{' and '.join(missing)} missing")
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password go together; give both or neither")
        if self.password is not None and not f"{self.username}{self.password.get_secret_value()}".isascii():
            raise ValueError("username and password must be ASCII; SMTP has no common way for others")
        if self.password is not None and self.security == "none":
            raise ValueError('security = "none" sends the password in the clear; use "starttls" or "tls"')
        return self

    @property
    def server(self) -> tuple[str, int]:
        """Host and port."""
        return self.host or "", self.port or _DEFAULT_PORTS[self.security]
