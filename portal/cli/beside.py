"""What a worker of `portal serve` does beside answering requests: it scrubs, unless another one does already."""

import threading
import time
from collections.abc import Callable

from flask import Flask

from portal import integrity

NAP_SECONDS = 0.5
"""How long a worker that ends may wait for it."""


def begin_scrubbing(app: Flask, is_alive: Callable[[], bool]) -> threading.Thread:
    """Begin it in a thread that ends by itself, between two blocks, once the worker is told to end."""

    def rest(seconds: float) -> bool:
        until = time.monotonic() + seconds
        while is_alive() and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, NAP_SECONDS))
        return not is_alive()

    def work() -> None:
        with app.app_context():
            integrity.keep_scrubbing(rest)

    thread = threading.Thread(target=work, name="scrub", daemon=True)  # daemon: it never keeps a worker from ending
    thread.start()
    return thread
