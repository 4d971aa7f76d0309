"""What the server writes down: one line per request, and messages; no token readable, no line forged.

The access log goes to stdout, messages go to stderr.
"""

import logging
import os
import re
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from select import PIPE_BUF
from typing import TYPE_CHECKING, Any

from gunicorn.config import Config
from gunicorn.glogging import Logger

from portal import settings
from portal.downloads import SENT_DIRECTLY
from portal.errors import PortalError
from portal.networks import client_address, network_of
from portal.tokens import mask, mask_all

if TYPE_CHECKING:
    from gunicorn.http import Request
    from gunicorn.http.wsgi import Response

STDOUT = 1
CUT = b'..."'
"""How a line ends that was too long: what stands last is in quotes."""
SECRET_CODE = re.compile(r"""([?&](?:amp;)?code=)([^&#\s"']{7,})""")
"""What somebody brings back from a provider (OpenID Connect): good once, and only with what the portal knows."""
UNRESERVED = re.compile(r"%(2[DE]|3[0-9]|[46][1-9A-F]|[57][0-9A]|5F|7E)", re.IGNORECASE)
"""Characters that mean the same percent-encoded or not (RFC 3986, 6.2.2.2), so that no token hides behind them."""
SECRET_PATH = re.compile(r"""((?:/|%(?:25)*2F)(?:s|t|setup)(?:/|%(?:25)*2F))([^/?&#\s"']{7,})""", re.IGNORECASE)
"""The addresses that open something, also inside a query string."""
LONGEST_ADDRESS = 2048
"""Characters of an address in a line, or a long one would push what came of it out of the line."""
LONGEST_AGENT = 1024
"""Characters of what a client calls itself; a header may have eight times as many, in every line."""


class Log(Logger):
    """gunicorn's logger, saying less and saying it safely."""

    def setup(self, cfg: Config) -> None:
        """Set up once more at each reload: the proxies that are believed may have changed."""
        super().setup(cfg)
        self._trusted = settings.load().trusted_proxies
        for handler in self.error_log.handlers:
            handler.setFormatter(Messages())

    def access(self, resp: "Response", req: "Request", environ: Mapping[str, Any], request_time: timedelta) -> None:
        """Write the line of one request, after its last byte or its failure."""
        peer, forwarded = str(environ.get("REMOTE_ADDR", "")), environ.get("HTTP_X_FORWARDED_FOR")
        network = network_of(client_address(peer, forwarded, self._trusted))
        status = str(resp.status).partition(" ")[0]
        size = resp.sent + environ.get(SENT_DIRECTLY, 0)
        line = access_line(environ, network, status, size, request_time)
        with suppress(OSError):  # as for messages: what cannot be written down stops nobody
            os.write(STDOUT, at_once(line))

    def exception(self, msg: object, *args: object, **kwargs: Any) -> None:
        """What ended an answer on its way: in one line where we broke it off, such as for a damaged member of a zip."""
        problem = sys.exc_info()[1]
        if isinstance(problem, PortalError):
            why = problem.__cause__ or "no further reason"
            self.error_log.warning("%s, so an answer was broken off: %s", type(problem).__name__, why)
        else:
            super().exception(msg, *args, **kwargs)


def at_once(line: str) -> bytes:
    """A line as one write takes it, so that no other gets in between: a pipe keeps no longer ones together (pipe(7)).

    What is too long loses its end. Python's logging takes thirty times as long.
    """
    written = line.encode(errors="backslashreplace")
    if len(written) >= PIPE_BUF:
        written = written[: PIPE_BUF - len(CUT) - 1].decode(errors="ignore").encode() + CUT
    return written + b"\n"


class Messages(logging.Formatter):
    """Messages for operators: moment, level, words; tokens masked, one line each but for a trace."""

    def __init__(self) -> None:
        super().__init__("%(asctime)sZ %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S")
        self.converter = time.gmtime

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The first line."""
        return one_line(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:
        """The trace below it, set in, so that none of its lines can pass for another message."""
        return "\n".join(f"  {one_line(line)}" for line in super().formatException(ei).splitlines())


def send_messages_to_stderr() -> None:
    """Let everything but gunicorn, which has handlers of its own, log through ``Messages`` from warnings on."""
    handler = logging.StreamHandler()
    handler.setFormatter(Messages())
    logging.getLogger().addHandler(handler)
    logging.raiseExceptions = False  # a line that cannot be written would be told with its unmasked values


def access_line(environ: Mapping[str, Any], network: str, status: str, size: int, took: timedelta) -> str:
    """Moment, client network, method, path with query, status, bytes, milliseconds, user agent in quotes."""
    moment = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    method, path = environ.get("REQUEST_METHOD", "-"), environ.get("RAW_URI", "-")
    path = path if len(path) <= LONGEST_ADDRESS else f"{path[:LONGEST_ADDRESS]}..."
    agent = str(environ.get("HTTP_USER_AGENT", ""))[:LONGEST_AGENT].replace("\\", "\\\\").replace('"', '\\"')
    milliseconds = round(took / timedelta(milliseconds=1))
    return one_line(f'{moment} {network} {method} {path} {status} {size} {milliseconds}ms "{agent}"')


def one_line(text: str) -> str:
    """The text with its tokens masked after six characters and everything that cannot be seen escaped."""
    text = masked(text)
    return text if text.isprintable() else "".join(map(_visible, text))


def masked(text: str) -> str:
    """The text with only the first six characters of each token."""
    text = UNRESERVED.sub(lambda found: chr(int(found[1], 16)), text)
    for secret in (SECRET_PATH, SECRET_CODE):
        text = secret.sub(lambda found: found[1] + mask(found[2]), text)
    return mask_all(text)


def _visible(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode()
