"""The insert-only log: one sentence-worthy fact per row, in the transaction of the change it tells of."""

from portal.audit.people import Named, find_named, introduce, introduce_many, person_hash, person_hashes
from portal.audit.reading import NAMING, PAGE, EventRow, export_events, list_events
from portal.audit.recording import record_event, record_events, told_path

__all__ = [
    "NAMING",
    "PAGE",
    "EventRow",
    "Named",
    "export_events",
    "find_named",
    "introduce",
    "introduce_many",
    "list_events",
    "person_hash",
    "person_hashes",
    "record_event",
    "record_events",
    "told_path",
]
