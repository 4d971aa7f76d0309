"""Search: words in, documents out. The index is derived from the catalog and follows it."""

from portal.search.queue import LOOK, queue_documents, start_over
from portal.search.texts import MOST_CHARACTERS, MOST_WORDS, folded, matches, text_of, words_of

__all__ = [
    "LOOK",
    "MOST_CHARACTERS",
    "MOST_WORDS",
    "folded",
    "matches",
    "queue_documents",
    "start_over",
    "text_of",
    "words_of",
]
