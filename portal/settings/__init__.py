"""Every setting, typed and checked before anything starts.

Order: config/default.toml, then config/local.toml or the file $PORTAL_CONFIG names, then PORTAL_* in the environment.
An unknown key is refused, so that a typing mistake is found at the start and not a year later.
"""

from portal.settings.keeping import last_address, make_secret, remember_address
from portal.settings.reading import DEFAULTS, ROOT, load
from portal.settings.values import EVERY_DOMAIN, Settings

__all__ = [
    "DEFAULTS",
    "EVERY_DOMAIN",
    "ROOT",
    "Settings",
    "last_address",
    "load",
    "make_secret",
    "remember_address",
]
