"""Asking a server again that may answer the next time."""

from __future__ import annotations

from collections.abc import Callable

from bootsmith.errors import FetchError
from bootsmith.host.clock import pause
from bootsmith.model.reporter import Reporter

_TRIES = 4


def patiently(fetch: Callable[[], None], *, first_pause_s: float, reporter: Reporter) -> None:
    """Call ``fetch``, four times at most as long as it fails in a way that may pass.

    ``first_pause_s`` passes before the second try; each further pause is twice as long.  Raises
    the ``FetchError`` that is not to be retried, or the last one.
    """
    for attempt in range(1, _TRIES + 1):
        try:
            fetch()
        except FetchError as error:
            if not error.retryable or attempt == _TRIES:
                raise
            reporter.detail(f"{error}; trying again ({attempt} of {_TRIES - 1})")
            pause(first_pause_s * 2 ** (attempt - 1))
        else:
            return
