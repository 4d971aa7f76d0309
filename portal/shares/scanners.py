"""Programs that open links without anybody asking: chat previews, mail scanners, crawlers. They spend nothing."""

import re

KNOWN = re.compile(
    r"bot\b|bot/|crawl|spider|slurp|preview|facebookexternalhit|facebot|whatsapp|telegram|slack|discord|skype|teams|"
    r"linkedin|twitter|pinterest|embedly|iframely|mattermost|zulip|synapse|google-?(safety|read-aloud|inspectiontool)|"
    r"barracuda|proofpoint|mimecast|safelinks|symantec|forcepoint|ironport|trendmicro|sophos|scanner|headlesschrome",
    re.IGNORECASE,
)


def is_scanner(agent: str) -> bool:
    """Whether a client that calls itself so is known to open links on its own."""
    return KNOWN.search(agent) is not None
