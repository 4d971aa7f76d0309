"""An authenticator in software: it makes passkeys and signs with them as a browser would, or wrongly where asked to."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url

ORIGIN = "http://localhost"
PRESENT, VERIFIED, BACKED_UP, ATTESTED = 0x01, 0x04, 0x18, 0x40
"""Bits of the authenticator data (WebAuthn, 6.1); what is backed up could be backed up, too."""
Options = Mapping[str, Any]


@dataclass
class Authenticator:
    """One device with one passkey. Change what it says: ``Authenticator(origin="https://evil.example")``."""

    origin: str = ORIGIN
    rp_id: str = "localhost"
    flags: int = PRESENT | VERIFIED
    count: int = 0
    counts: bool = True
    """Whether the counter rises with each use; many passkeys stay at zero."""
    transports: tuple[str, ...] = ("internal",)
    credential_id: bytes = field(default_factory=lambda: os.urandom(32))
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    handle: bytes | None = None
    client: dict[str, Any] = field(default_factory=dict)
    """What replaces or adds to what the browser says of the request."""

    def create(self, options: Options) -> dict[str, Any]:
        """A new passkey, as ``PublicKeyCredential.toJSON()`` gives it."""
        self.handle = base64url_to_bytes(options["user"]["id"])
        made = {"fmt": "none", "attStmt": {}, "authData": self._data(self.flags | ATTESTED) + self._attested()}
        said = self._said("webauthn.create", options)
        response = {
            "clientDataJSON": bytes_to_base64url(said),
            "attestationObject": bytes_to_base64url(cbor2.dumps(made)),
            "transports": list(self.transports),
        }
        return self._answer(response)

    def get(self, options: Options) -> dict[str, Any]:
        """A signature for these options, as ``PublicKeyCredential.toJSON()`` gives it."""
        self.count += self.counts
        data, said = self._data(self.flags), self._said("webauthn.get", options)
        signature = self.key.sign(data + hashlib.sha256(said).digest(), ec.ECDSA(SHA256()))
        response = {
            "clientDataJSON": bytes_to_base64url(said),
            "authenticatorData": bytes_to_base64url(data),
            "signature": bytes_to_base64url(signature),
        }
        if self.handle is not None:
            response["userHandle"] = bytes_to_base64url(self.handle)
        return self._answer(response)

    def _answer(self, response: Mapping[str, Any]) -> dict[str, Any]:
        name = bytes_to_base64url(self.credential_id)
        return {"id": name, "rawId": name, "type": "public-key", "clientExtensionResults": {}, "response": response}

    def _said(self, kind: str, options: Options) -> bytes:
        said = {"type": kind, "challenge": options["challenge"], "origin": self.origin, "crossOrigin": False}
        return json.dumps(said | self.client).encode()

    def _data(self, flags: int) -> bytes:
        return hashlib.sha256(self.rp_id.encode()).digest() + bytes([flags]) + self.count.to_bytes(4, "big")

    def _attested(self) -> bytes:
        numbers = self.key.public_key().public_numbers()
        key = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        return bytes(16) + len(self.credential_id).to_bytes(2, "big") + self.credential_id + cbor2.dumps(key)
