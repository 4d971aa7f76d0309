"""Edits of many documents at once: planned, looked at, and then made, each document wholly or not at all."""

from portal.catalog.bulk_edits.changes import Changes, Choice
from portal.catalog.bulk_edits.keeping import EditRow, ItemRow, get_edit, list_edits, list_items, list_reasons
from portal.catalog.bulk_edits.planning import (
    MOST,
    Forecast,
    Group,
    choose_changes,
    drop_plan,
    forecast,
    list_offered_fields,
    name_of,
    plan_category,
    plan_found,
    plan_return,
    plan_return_of,
    plan_selected,
)
from portal.catalog.bulk_edits.running import AT_ONCE, LOOK, run_edits, start_edit, stop_edit

__all__ = [
    "AT_ONCE",
    "LOOK",
    "MOST",
    "Changes",
    "Choice",
    "EditRow",
    "Forecast",
    "Group",
    "ItemRow",
    "choose_changes",
    "drop_plan",
    "forecast",
    "get_edit",
    "list_edits",
    "list_items",
    "list_offered_fields",
    "list_reasons",
    "name_of",
    "plan_category",
    "plan_found",
    "plan_return",
    "plan_return_of",
    "plan_selected",
    "run_edits",
    "start_edit",
    "stop_edit",
]
