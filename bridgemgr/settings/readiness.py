"""The settings of readiness."""

import re
from typing import Annotated

from pydantic import BeforeValidator, Field

from bridgemgr.settings.fields import Section, setting

_VERSIONS = ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
_CIPHER = re.compile(r"[A-Z0-9][A-Za-z0-9_-]{2,79}", re.ASCII)
_VERSION_FORM = f"one of {', '.join(_VERSIONS)}"
_CIPHER_FORM = "the name of a cipher, such as ECDHE-RSA-AES256-GCM-SHA384 or TLS_AES_256_GCM_SHA384"


def _version(value: object) -> str:
    if not isinstance(value, str) or value not in _VERSIONS:
        raise ValueError(f"must be {_VERSION_FORM}")
    return value


def _cipher(value: object) -> str:
    if not isinstance(value, str) or _CIPHER.fullmatch(value) is None:
        raise ValueError(f"must be {_CIPHER_FORM}")
    return value


class ReadinessSettings(Section):
    """What is asked of a line before a conference counts it as ready."""

    tls_versions: Annotated[tuple[Annotated[str, BeforeValidator(_version)], ...], Field(strict=False)] = setting(
        ("TLSv1.2", "TLSv1.3"),
        "Versions of TLS that are allowed; an endpoint that speaks another one is not ready.",
        expected="a list of versions, such as [TLSv1.2, TLSv1.3]",
        reload=True,
        min_length=1,
        max_length=10,
    )
    tls_ciphers: Annotated[tuple[Annotated[str, BeforeValidator(_cipher)], ...], Field(strict=False)] = setting(
        (),
        "Ciphers that are allowed, by the names that `bridgemgr probe` prints (those of OpenSSL); none named: any.",
        expected="a list of at most 200 ciphers, such as [TLS_AES_256_GCM_SHA384]",
        reload=True,
        max_length=200,
    )
