"""Large uploads, made up while they are sent: over the portal's plain form, and as the body of a PUT."""

import re
import socket
import urllib.request

BLOCK = bytes(range(256)) * 4096
BOUNDARY = "------benchmark"


def post(port: int, cookie: str, category: str, filename: str, size: int) -> None:
    """Send ``size`` bytes, a multiple of 1 MiB, as one document. Raises RuntimeError when they are not taken."""
    fields = {"csrf_token": form_token(port, cookie), "category": category}
    head = "".join(
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    )
    head += f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="files"; filename="{filename}"\r\n\r\n'
    kind = f"{cookie}Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
    _send(port, f"POST /admin/upload HTTP/1.1\r\n{kind}", head.encode(), size, f"\r\n--{BOUNDARY}--\r\n".encode())


def put(port: int, path: str, size: int) -> None:
    """The same as the body of a PUT."""
    _send(port, f"PUT {path} HTTP/1.1\r\n", b"", size, b"")


def _send(port: int, request: str, before: bytes, size: int, after: bytes) -> None:
    length = len(before) + size + len(after)
    request += f"Host: 127.0.0.1:{port}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port)) as line:
        line.sendall(request.encode() + before)
        for _ in range(size // len(BLOCK)):
            line.sendall(BLOCK)
        line.sendall(after)
        answer = line.recv(4096)
    if not answer.startswith((b"HTTP/1.1 200", b"HTTP/1.1 201")):
        raise RuntimeError(answer[:200])


def form_token(port: int, cookie: str) -> str:
    """What scripts of the publisher's pages send as ``X-CSRFToken``."""
    name, _, value = cookie.strip().partition(": ")
    request = urllib.request.Request(f"http://127.0.0.1:{port}/admin/upload", headers={name: value})
    with urllib.request.urlopen(request) as answer:  # noqa: S310 - our own server on loopback
        page = answer.read().decode()
    found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
    if found is None:
        raise RuntimeError("the upload page has no form")
    return found[1]
