"""The settings of the listener for sites."""

from pathlib import Path

from pydantic import ValidationInfo, field_validator

from bridgemgr.settings.fields import Section, needed, setting
from bridgemgr.settings.values import ADDRESS_FORM, FILE_FORM, URL_FORM, FileValue, OptionalAddressValue, UrlValue


class SiteSettings(Section):
    """The address of their own that sites reach over TLS: their pages and check-ins, nothing else."""

    listen: OptionalAddressValue = setting(
        None,
        "Where the service listens for sites over TLS. Without it they use the address above, through a proxy that "
        "speaks TLS: over plain HTTP their page can be neither installed nor opened offline.",
        expected=ADDRESS_FORM,
    )
    certificate: FileValue = setting(
        None,
        "The certificate for that address, the server's own first, then those between it and its root. "
        "`bridgemgr certificate make` makes one where there is no authority. The file is read anew at a reload.",
        expected=FILE_FORM,
        reload=True,
    )
    key: FileValue = setting(
        None, "The private key of the certificate, without a passphrase.", expected=FILE_FORM, reload=True
    )
    public_url: UrlValue = setting(
        None,
        "What links and QR codes for sites carry. Without it they carry the address above with https, or public_url "
        "where there is none.",
        expected=URL_FORM,
    )

    @field_validator("certificate")
    @classmethod
    def _with_listen(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        needed(value, info, "listen", "name its PEM file, or make one with bridgemgr certificate make")
        return value

    @field_validator("key")
    @classmethod
    def _with_certificate(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        needed(value, info, "certificate", "name the PEM file of its private key")
        return value
