"""Bytes in: received, looked at, flushed, named by their hash, and written into the catalog."""

from portal.uploads.importing import import_directory
from portal.uploads.indexing import index_directory
from portal.uploads.kinds import content_type_of, require_fitting
from portal.uploads.planning import Report
from portal.uploads.storing import Arrival, arrive, receive, store_documents, store_version

__all__ = [
    "Arrival",
    "Report",
    "arrive",
    "content_type_of",
    "import_directory",
    "index_directory",
    "receive",
    "require_fitting",
    "store_documents",
    "store_version",
]
