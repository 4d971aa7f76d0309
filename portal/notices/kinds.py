"""What mails are about. Each kind has two templates, ``mail/<kind>.txt``, whose first line is the subject, and
``mail/<kind>.html``. Beside the values named here a template knows the name of the ``portal`` and its ``base_url``.
"""

KINDS: dict[str, frozenset[str]] = {
    "invitation": frozenset({"name", "address", "until"}),  # the one-time address, whole, and when it stops working
    "reset": frozenset({"name", "address", "until"}),
    "email_confirm": frozenset({"address", "until"}),  # goes to the new address, whosever it is
    "email_changed": frozenset({"name", "new_email_masked"}),  # goes to the old address
    "email_taken": frozenset(),  # to whose account has an address that somebody else wanted
    "password_changed": frozenset(),
    "second_factor_changed": frozenset({"what"}),  # a whole sentence, such as "Your recovery codes were made anew."
    "passkey_changed": frozenset({"what"}),
    "session_new_device": frozenset({"program", "network", "moment"}),
    "account_disabled": frozenset(),
    "account_enabled": frozenset(),
    "account_erased": frozenset(),
    "role_changed": frozenset({"what"}),
    "api_token_added": frozenset({"token_name", "scopes"}),  # scopes in words, such as "read, publish"
    "identity_linked": frozenset({"provider"}),
    # By a file request: to whoever made it, with lines about what came; and to whoever sent it and gave an address.
    "files_received": frozenset({"title", "sender", "documents", "has_more", "address"}),
    "receipt": frozenset({"title", "number", "documents", "has_more", "moment", "address"}),
    # What a distribution put into their own category: lines about documents, the uuid of each, whether there are more.
    "distributed": frozenset({"documents", "refs", "has_more"}),
    # The name of what was found, lines about documents, the uuid of each or "", and whether there are more.
    "virus_found": frozenset({"finding", "documents", "refs", "has_more"}),
    # Lines about documents, the uuid of each, and whether there are more; lines about saved searches.
    "news": frozenset({"documents", "refs", "has_more", "searches"}),
}
"""The values each kind is given, by name: texts are shown as they are, one line each, moments in the person's zone."""
