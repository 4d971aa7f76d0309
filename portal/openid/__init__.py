"""OpenID Connect: who somebody is, as a provider says it, once all of it was checked. Knows no database and no page.

``portal.openid.provider`` needs the libraries of the extra ``oidc``; nothing here imports it, so that a portal without
a provider neither needs them nor spends memory on them.
"""

from portal.openid.proof import Proof, proof_of

__all__ = ["Proof", "proof_of"]
