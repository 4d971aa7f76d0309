"""The settings as the portal works with them."""

import ipaddress
from dataclasses import dataclass, field
from datetime import tzinfo
from pathlib import Path
from urllib.parse import urlsplit

EVERY_DOMAIN = "*"
"""Among ``oidc_allowed_domains``: whatever stands behind the @."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True)
class Settings:
    """All settings with their final values; directories are absolute, nothing is created by reading them."""

    data: Path
    database_url: str = field(repr=False)
    storage: Path
    secret_key: str = field(repr=False)
    base_url: str
    trusted_proxies: tuple[Network, ...]
    name: str
    timezone: tzinfo
    offload: str
    max_upload: int
    quota: int
    """Bytes that all people together may have put in; 0 for no limit."""
    upload_hours: int
    zip_documents: int
    zip_bytes: int
    clamd: str
    """Where the virus scanner answers; "" for none."""
    trash_days: int
    rescan_minutes: int
    scrub_days: int
    scrub_mib_per_second: int
    allowed_types: frozenset[str]
    preview_pages: int
    preview_pixels: int
    preview_seconds: int
    preview_memory_mib: int
    preview_source_mib: int
    mail_url: str = field(repr=False)
    mail_from: str
    metrics_token: str = field(repr=False)
    session_idle_hours: int
    session_days: int
    password_memory: int
    password_passes: int
    login_tries: int
    network_tries: int
    share_tries: int
    unknown_tries: int
    transfers_each: int
    transfers_all: int
    client_images: Path | None
    client_csv: Path | None
    client_pdf: Path | None
    client_reports: Path | None
    oidc_issuer: str
    oidc_client_id: str
    oidc_client_secret: str = field(repr=False)
    oidc_name: str
    oidc_scopes: tuple[str, ...]
    oidc_link_by_email: bool
    oidc_trust_email: bool
    oidc_create_accounts: bool
    oidc_allowed_domains: frozenset[str]
    oidc_allowed_groups: frozenset[str]
    oidc_groups_claim: str
    oidc_groups: tuple[tuple[str, str], ...]
    """Pairs of a value of the claim and the name of a group here."""

    @property
    def is_secure(self) -> bool:
        """Whether people reach the portal by https; decides about cookies and HSTS."""
        return urlsplit(self.base_url).scheme == "https"

    @property
    def secrets_dir(self) -> Path:
        """Where secrets made by the portal itself are kept, 0700."""
        return self.data / "secrets"

    @property
    def sources(self) -> dict[str, Path]:
        """Category path to the directory indexed in place for it."""
        named = {
            "images": self.client_images,
            "csv": self.client_csv,
            "pdf": self.client_pdf,
            "reports": self.client_reports,
        }
        return {path: directory for path, directory in named.items() if directory is not None}
