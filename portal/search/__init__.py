"""Search: words in, documents out. The index is derived from the catalog and follows it."""

from portal.search.facets import Facets, count_tags, facets
from portal.search.finding import Hits, count_since, find, suggest
from portal.search.parsing import LONGEST_QUERY, Part, Query, parse
from portal.search.queue import (
    LOOK,
    catch_up,
    count_waiting,
    queue_documents,
    queue_shelves,
    start_over,
    take_turn,
    waiting,
)
from portal.search.reaching import Keys
from portal.search.reindexing import count_differing, reindex
from portal.search.snippets import excerpt, snippet
from portal.search.texts import MOST_CHARACTERS, MOST_WORDS, folded, matches, text_of, words_of
from portal.search.writing import hold_all, index_documents

__all__ = [
    "LONGEST_QUERY",
    "LOOK",
    "MOST_CHARACTERS",
    "MOST_WORDS",
    "Facets",
    "Hits",
    "Keys",
    "Part",
    "Query",
    "catch_up",
    "count_differing",
    "count_since",
    "count_tags",
    "count_waiting",
    "excerpt",
    "facets",
    "find",
    "folded",
    "hold_all",
    "index_documents",
    "matches",
    "parse",
    "queue_documents",
    "queue_shelves",
    "reindex",
    "snippet",
    "start_over",
    "suggest",
    "take_turn",
    "text_of",
    "waiting",
    "words_of",
]
