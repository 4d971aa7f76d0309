"""Pages for publishers and administrators, below /admin: one module for each thing they look after."""

from portal.views.admin import (
    categories,
    downloads,
    erasing,
    groups,
    links,
    lists,
    log,
    mail,
    overview,
    people,
    rules,
    storage,
    tokens,
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
    lists.bp,
    people.bp,
    erasing.bp,
    tokens.bp,
    groups.bp,
    rules.bp,
    log.bp,
    mail.bp,
    storage.bp,
    why.bp,
)
