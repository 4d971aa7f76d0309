"""Providers (OpenID Connect) for tests: one of ours that lies on request, and the process of oidc-provider-mock."""

import base64
import hashlib
import hmac
import json
import re
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import requests
from joserfc import jws
from joserfc.jwk import ECKey, Key, RSAKey

CLIENT_ID, CLIENT_SECRET = "portal", "the secret of the client"
CALLBACK = "http://localhost/login/provider/callback"
KEY = RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"})
OTHER_KEY = RSAKey.generate_key(2048, {"kid": "two", "use": "sig"})
CURVE = ECKey.generate_key("P-256", {"kid": "curve"})
ADA = {"sub": "248289761001", "email": "ada@example.org", "email_verified": True, "name": "Ada Byron"}
START_SECONDS = 30

Answer = tuple[int, dict[str, str], bytes]


@dataclass
class Liar:
    """A provider in a thread of the test, honest until told otherwise.

    ``claims`` are of the person who is signed in there, and ``token`` and ``userinfo`` replace what it says of them in
    either place; None as a value leaves the claim out. ``discovery`` replaces what it says about itself. ``answers``
    replaces whole answers by path; ``asked`` counts the questions by path.
    """

    address: str = ""
    claims: dict[str, Any] = field(default_factory=lambda: dict(ADA))
    token: dict[str, Any] = field(default_factory=dict)
    userinfo: dict[str, Any] = field(default_factory=dict)
    discovery: dict[str, Any] = field(default_factory=dict)
    header: dict[str, Any] = field(default_factory=dict)
    key: Key = field(default_factory=lambda: KEY)
    published: list[Key] = field(default_factory=lambda: [KEY])
    answers: dict[str, Callable[[], Answer]] = field(default_factory=dict)
    asked: dict[str, int] = field(default_factory=dict)
    seen: list[dict[str, str]] = field(default_factory=list)
    """What came with each person who was sent here, and with each code: the newest last."""
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def metadata(self) -> dict[str, Any]:
        """The document of discovery."""
        own = {
            "issuer": self.address,
            "authorization_endpoint": f"{self.address}/authorize",
            "token_endpoint": f"{self.address}/token",
            "jwks_uri": f"{self.address}/keys",
            "id_token_signing_alg_values_supported": ["RS256", "ES256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        }
        return said(own, self.discovery)

    def code(self, query: Mapping[str, str]) -> str:
        """A code for somebody who was sent here with these values."""
        code = secrets.token_urlsafe(16)
        self.seen.append(dict(query))
        self.codes[code] = dict(query)
        return code

    def id_token(self, nonce: str) -> str:
        """The signed token about whoever is signed in here."""
        now = int(time.time())
        own = {"iss": self.address, "aud": CLIENT_ID, "iat": now, "exp": now + 300, "nonce": nonce}
        claims = said(own | self.claims, self.token)
        header = said({"alg": "RS256", "kid": self.key.kid}, self.header)
        return signed(header, claims, self.key)

    def spend(self, form: dict[str, str], basic: str) -> Answer:
        """The tokens for a code, once, for whoever knows what was hidden behind the challenge."""
        self.seen.append(form)
        secret = form.get("client_secret") or base64.b64decode(basic).decode().partition(":")[2]
        begun = self.codes.pop(form.get("code", ""), None)
        if begun is None or challenge(form.get("code_verifier", "")) != begun.get("code_challenge"):
            return as_json({"error": "invalid_grant"}, 400)
        if secret != CLIENT_SECRET or form.get("redirect_uri") != begun.get("redirect_uri"):
            return as_json({"error": "invalid_client"}, 401)
        token = self.id_token(begun.get("nonce", ""))
        return as_json({"access_token": "access", "token_type": "Bearer", "id_token": token})

    def answer(self, path: str, query: dict[str, str], form: dict[str, str], basic: str) -> Answer:
        """What it says to one question."""
        self.asked[path] = self.asked.get(path, 0) + 1
        own: dict[str, Callable[[], Answer]] = {
            "/.well-known/openid-configuration": lambda: as_json(self.metadata()),
            "/keys": lambda: as_json({"keys": [key.as_dict(private=False) for key in self.published]}),
            "/token": lambda: self.spend(form, basic),
            "/userinfo": lambda: as_json(said({"sub": self.claims["sub"]}, self.userinfo)),
            "/authorize": lambda: self.send_back(query),
        }
        found = (own | self.answers).get(path)
        return found() if found is not None else (404, {}, b"")

    def send_back(self, query: dict[str, str]) -> Answer:
        """Back to the portal at once: whoever comes is signed in here."""
        back = urlencode({"code": self.code(query), "state": query["state"]})
        return 302, {"Location": f"{query['redirect_uri']}?{back}"}, b""


def late() -> Answer:
    """An answer that takes a second."""
    time.sleep(1)
    return as_json({})


def said(own: dict[str, Any], instead: dict[str, Any]) -> dict[str, Any]:
    """Values, some of them replaced, those that are None left out."""
    return {name: value for name, value in (own | instead).items() if value is not None}


def as_json(value: object, status: int = 200) -> Answer:
    """An answer of JSON."""
    return status, {"Content-Type": "application/json"}, json.dumps(value).encode()


def signed(header: dict[str, Any], claims: dict[str, Any], key: Key) -> str:
    """A token; with ``alg`` ``none`` without a signature, with ``HS256`` by the public key that everybody knows."""
    payload = json.dumps(claims).encode()
    begin = f"{encoded(json.dumps(header).encode())}.{encoded(payload)}"
    if header["alg"] == "none":
        return f"{begin}."
    if header["alg"] == "HS256":
        return f"{begin}.{encoded(hmac.digest(KEY.as_pem(private=False), begin.encode(), 'sha256'))}"
    return jws.serialize_compact(header, payload, key, registry=jws.JWSRegistry(algorithms=[header["alg"]]))


def encoded(data: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def challenge(verifier: str) -> str:
    """What hides the secret of PKCE (RFC 7636, S256)."""
    return encoded(hashlib.sha256(verifier.encode()).digest())


@contextmanager
def lying() -> Iterator[Liar]:
    """A provider on a free port of this machine."""
    liar = Liar()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.reply({})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.reply(first_values(body.decode()))

        def reply(self, form: dict[str, str]) -> None:
            parts = urlsplit(self.path)
            basic = self.headers.get("Authorization", "").removeprefix("Basic ")
            status, headers, body = liar.answer(parts.path, first_values(parts.query), form, basic)
            self.send_response(status)
            for name, value in (headers | {"Content-Length": str(len(body)), "Connection": "close"}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    with _serving(Handler) as port:
        liar.address = f"http://127.0.0.1:{port}"
        yield liar


@contextmanager
def _serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[int]:
    """The port of a server in a thread."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """Whoever asked has hung up: that is what the test is about."""

    server = Server(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def first_values(text: str) -> dict[str, str]:
    """A query or form, each name once."""
    return {name: values[0] for name, values in parse_qs(text, keep_blank_values=True).items()}


@dataclass
class Mock:
    """The process of oidc-provider-mock."""

    address: str

    def put(self, subject: str, **claims: Any) -> None:
        """Make an account there."""
        requests.put(f"{self.address}/users/{subject}", json=claims, timeout=10).raise_for_status()


@contextmanager
def mocking(directory: Path) -> Iterator[Mock]:
    """The real provider as a process of its own, on a free port; whoever comes chooses who they are."""
    log = directory / "provider.log"
    command = [sys.executable, "-m", "oidc_provider_mock", "--port", "0", "--require-nonce"]
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    try:
        yield Mock(await_address(process, log))
    finally:
        process.terminate()
        process.wait(20)


def await_address(process: subprocess.Popen[bytes], log: Path) -> str:
    """Where a starting provider says it listens."""
    for _ in range(START_SECONDS * 20):
        found = re.search(r"http://(?:localhost|127\.0\.0\.1):(\d+)", log.read_text())
        if found:
            return f"http://localhost:{found[1]}"
        assert process.poll() is None, log.read_text()
        time.sleep(0.05)
    raise AssertionError(f"the provider did not start:\n{log.read_text()}")


@contextmanager
def dripping() -> Iterator[str]:
    """The address of something that answers one byte every twentieth of a second, without end."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            for _ in range(200):
                self.wfile.write(b" ")
                self.wfile.flush()
                time.sleep(0.05)

        def log_message(self, *args: object) -> None:
            pass

    with _serving(Handler) as port:
        yield f"http://127.0.0.1:{port}/"
