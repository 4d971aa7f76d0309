"""Bytes in: received, looked at, flushed, named by their hash, and written into the catalog."""

from portal.uploads.foreseeing import foresee_import
from portal.uploads.ignoring import Ignored
from portal.uploads.importing import import_directory
from portal.uploads.indexing import index_directory
from portal.uploads.kinds import content_type_of, require_fitting
from portal.uploads.metadata import NOTHING, Metadata, read_metadata
from portal.uploads.options import Options
from portal.uploads.reporting import FileLine, Report
from portal.uploads.rescanning import LOOK, list_sources, rescan_due
from portal.uploads.scanning import ScanReport, is_scanner_alive, scan, scan_all, scan_waiting
from portal.uploads.storing import Arrival, arrive, receive, store_documents, store_version

__all__ = [
    "LOOK",
    "NOTHING",
    "Arrival",
    "FileLine",
    "Ignored",
    "Metadata",
    "Options",
    "Report",
    "ScanReport",
    "arrive",
    "content_type_of",
    "foresee_import",
    "import_directory",
    "index_directory",
    "is_scanner_alive",
    "list_sources",
    "read_metadata",
    "receive",
    "require_fitting",
    "rescan_due",
    "scan",
    "scan_all",
    "scan_waiting",
    "store_documents",
    "store_version",
]
