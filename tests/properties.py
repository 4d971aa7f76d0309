"""How often a property is tried: in every run with the same few examples, in ``make soak`` with many others."""

from typing import Any

import hypothesis

MORE = 20
"""How many times as many examples a soak has."""


def register() -> None:
    """Make both ways known, and the short one the one in force."""
    hypothesis.settings.register_profile("portal", deadline=None, derandomize=True, database=None)
    hypothesis.settings.register_profile("soak", deadline=None, max_examples=100 * MORE, print_blob=True)
    hypothesis.settings.load_profile("portal")


def examples(number: int, **others: Any) -> hypothesis.settings:
    """So many examples, ``MORE`` times as many in a soak; without it a property has a hundred."""
    is_soak = hypothesis.settings.get_current_profile_name() == "soak"
    return hypothesis.settings(max_examples=number * MORE if is_soak else number, **others)
