"""The bytes: our own blobs and other people's directories. Knows neither Flask nor the database."""

from portal.storage.files import BLOCK, OpenedBytes, Place, Stamp, outlast_tick
from portal.storage.incoming import Incoming, Received
from portal.storage.local import LocalStorage
from portal.storage.partial import Partial, Partials
from portal.storage.source import Entry, Source, SourceDigest, Walk

__all__ = [
    "BLOCK",
    "Entry",
    "Incoming",
    "LocalStorage",
    "OpenedBytes",
    "Partial",
    "Partials",
    "Place",
    "Received",
    "Source",
    "SourceDigest",
    "Stamp",
    "Walk",
    "outlast_tick",
]
