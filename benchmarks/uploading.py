"""A large upload over the plain form, made up while it is sent."""

import re
import socket
import urllib.request

BLOCK = bytes(range(256)) * 4096
BOUNDARY = "------benchmark"


def upload(port: int, cookie: str, category: str, size: int) -> None:
    """Send ``size`` bytes, a multiple of 1 MiB, as one document. Raises RuntimeError when they are not taken."""
    token = _form_token(port, cookie)
    fields = {"csrf_token": token, "category": category}
    head = "".join(
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    )
    head += f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="files"; filename="large.dat"\r\n\r\n'
    tail = f"\r\n--{BOUNDARY}--\r\n"
    length = len(head) + size + len(tail)
    request = (
        f"POST /admin/upload HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{cookie}Connection: close\r\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\nContent-Length: {length}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", port)) as line:
        line.sendall((request + head).encode())
        for _ in range(size // len(BLOCK)):
            line.sendall(BLOCK)
        line.sendall(tail.encode())
        answer = line.recv(4096)
    if not answer.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(answer[:200])


def _form_token(port: int, cookie: str) -> str:
    name, _, value = cookie.strip().partition(": ")
    request = urllib.request.Request(f"http://127.0.0.1:{port}/admin/upload", headers={name: value})
    with urllib.request.urlopen(request) as answer:  # noqa: S310 - our own server on loopback
        page = answer.read().decode()
    found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
    if found is None:
        raise RuntimeError("the upload page has no form")
    return found[1]
