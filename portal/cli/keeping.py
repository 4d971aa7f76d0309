"""gunicorn's master, which keeps one worker of the other kind beside those that answer requests."""

import logging
import os
import select
import signal
import sys
import time

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter

from portal.cli.output import say
from portal.cli.working import run_for
from portal.errors import PortalError

PAUSE_SECONDS = 5
"""A worker that ends by itself is not started more often than that."""
FINISHING_SECONDS = 30
HURRY_SECONDS = 2
"""How long the worker may go on with the mail it is sending, when there is time and when there is none."""

_log = logging.getLogger("portal.cli")


class Keeper(Arbiter):
    """One process that works, however many answer requests: begun and ended with them, started anew when it dies.

    It is a fork, so that it shares the memory of all that is imported. gunicorn takes note of the end of every child;
    that ours has ended is told by a pipe, whose other end it held.
    """

    def __init__(self, app: BaseApplication) -> None:
        super().__init__(app)
        self._worker = 0
        self._pipe = -1
        self._begun = -float(PAUSE_SECONDS)
        self._is_ending = self._is_meant = False

    def manage_workers(self) -> None:
        """Called once a second, and whenever a child ended."""
        super().manage_workers()
        if self._worker and self._has_ended(0):
            self._forget()
        if not self._worker and not self._is_ending and (self._is_meant or self._may_begin()):
            self._is_meant = False
            self._begin()

    def reload(self) -> None:
        """Let the worker make way for one that reads the settings anew, as its siblings do."""
        self._is_meant = True
        self._tell(signal.SIGTERM)
        super().reload()

    def stop(self, graceful: bool = True) -> None:
        """End the siblings and the worker, which finishes the mail it is sending."""
        self._is_ending = self._is_meant = True
        self._tell(signal.SIGTERM)
        until = time.monotonic() + (FINISHING_SECONDS if graceful else HURRY_SECONDS)
        super().stop(graceful)
        if self._worker and not self._has_ended(max(0, until - time.monotonic())):
            self._tell(signal.SIGKILL)
        self._forget()

    def _may_begin(self) -> bool:
        return time.monotonic() - self._begun >= PAUSE_SECONDS

    def _begin(self) -> None:
        """Fork it. Signals wait until the child has let go of the handlers of its master, or they would be lost."""
        numbers = [*self.SIGNALS, signal.SIGCHLD]
        ours, theirs = os.pipe()
        signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
        self._worker = os.fork()
        if not self._worker:
            for number in numbers:
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)
            os._exit(self._work(ours))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)
        os.close(theirs)
        self._pipe, self._begun = ours, time.monotonic()

    def _work(self, pipe: int) -> int:
        """In the child: let go of what belongs to the master, and work. The exit code."""
        os.close(pipe)
        for listener in self.LISTENERS:
            listener.close()
        for sibling in self.WORKERS.values():
            sibling.tmp.close()
        try:
            run_for(self.pid)
        except PortalError as problem:
            say(problem.sentence)
            return 1
        except BaseException:
            _log.exception("The worker broke off")
            return 1
        finally:
            sys.stdout.flush()
        return 0

    def _tell(self, number: signal.Signals) -> None:
        if self._worker and not self._has_ended(0):
            os.kill(self._worker, number)  # nobody else reaps it meanwhile, so the number is still its own

    def _has_ended(self, seconds: float) -> bool:
        return bool(select.select([self._pipe], [], [], seconds)[0])

    def _forget(self) -> None:
        if self._worker:
            os.close(self._pipe)
            self._worker = 0
            if not self._is_meant:
                _log.warning("The worker that sends mails has ended. It is started again.")
