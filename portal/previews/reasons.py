"""Why there is no preview, in sentences for people."""

REASONS = {
    "type": "Nothing can be shown of files of this type.",
    "mismatch": "Its content is not what its name says.",
    "empty": "There is nothing in it.",
    "password": "It asks for a password.",
    "damaged": "It is damaged, or written in a way that cannot be read here.",
    "large": "It is larger than what is shown here.",
    "pixels": "It has more pixels than are shown here.",
    "shape": "It is too long and narrow to be shown.",
    "memory": "To show it would take more memory than it may.",
    "packed": "It is packed in a way that nothing here unpacks.",
    "binary": "It is no text that can be read.",
    "gone": "Its content is not kept any more.",
}
"""For good, unless other bytes come."""
FAILURES = {
    "time": "It took too long to be made.",
    "crash": "What makes it broke off.",
    "flood": "It came out larger than it may be.",
}
"""Of a try that came to nothing."""


def reason(word: str) -> str:
    """The sentence for what was refused; whatever word it is, a sentence."""
    return REASONS.get(word, REASONS["damaged"])


def failure(word: str, tries: int) -> str:
    """The sentence for what is parked."""
    return f"{FAILURES.get(word, FAILURES['crash'])} It was tried {tries} times."
