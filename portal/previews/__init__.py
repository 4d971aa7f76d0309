"""Previews: page images, tables and text of documents, made in a fenced child process and shown to whoever may read."""

from portal.catalog.wanting import PREVIEWS as LOOK
from portal.previews.fence import FenceMissing
from portal.previews.keeping import collect, count_states, list_failed, rebuild, start_over
from portal.previews.kinds import foreseen_kind
from portal.previews.making import MAKER, take_turn, try_fence
from portal.previews.showing import THUMBNAIL, Picture, Shown, find_shown, get_picture, shown_in

__all__ = [
    "LOOK",
    "MAKER",
    "THUMBNAIL",
    "FenceMissing",
    "Picture",
    "Shown",
    "collect",
    "count_states",
    "find_shown",
    "foreseen_kind",
    "get_picture",
    "list_failed",
    "rebuild",
    "shown_in",
    "start_over",
    "take_turn",
    "try_fence",
]
