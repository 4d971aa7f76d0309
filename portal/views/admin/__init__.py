"""Pages for publishers and administrators, below /admin: one module for each thing they look after."""

from portal.views.admin import (
    categories,
    downloads,
    erasing,
    groups,
    links,
    log,
    overview,
    people,
    storage,
    trash,
    upload,
    why,
)

BLUEPRINTS = (
    overview.bp,
    upload.bp,
    categories.bp,
    trash.bp,
    downloads.bp,
    links.bp,
    people.bp,
    erasing.bp,
    groups.bp,
    log.bp,
    storage.bp,
    why.bp,
)
