"""Who got what, and who has not: of one document, and of the files of one distribution."""

from portal.deliveries.distributions import STATES as RECEPTION_STATES
from portal.deliveries.distributions import (
    Reception,
    count_receptions,
    export_files,
    list_receptions,
    may_follow,
)
from portal.deliveries.documents import (
    LINK_STATES,
    STATES,
    Delivery,
    LinkDelivery,
    count_by_link,
    count_deliveries,
    find_downloaders,
    get_published,
    list_by_link,
    list_deliveries,
)

__all__ = [
    "LINK_STATES",
    "RECEPTION_STATES",
    "STATES",
    "Delivery",
    "LinkDelivery",
    "Reception",
    "count_by_link",
    "count_deliveries",
    "count_receptions",
    "export_files",
    "find_downloaders",
    "get_published",
    "list_by_link",
    "list_deliveries",
    "list_receptions",
    "may_follow",
]
