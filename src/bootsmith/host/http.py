"""Fetching over HTTP(S), and from ``file://`` mirrors by the same door.

The user's proxy variables and CA settings (``HTTPS_PROXY``, ``NO_PROXY``, ``SSL_CERT_FILE`` …)
are honoured.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from bootsmith.errors import FetchError
from bootsmith.host.files import iter_file_object
from bootsmith.host.pace import LeastPace

if TYPE_CHECKING:
    from bootsmith.host.connections import Connections


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer whose body is read in chunks.  Header names are in lower case."""

    url: str
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Iterator[bytes] = field(default_factory=lambda: iter(()))


class HttpClient:
    """Keeps connections open between requests; safe to use from several threads."""

    def __init__(
        self,
        *,
        user_agent: str = "bootsmith",
        timeout_s: float = 30,
        least_pace: LeastPace = LeastPace(),  # noqa: B008 - a frozen value
    ) -> None:
        self._user_agent = user_agent
        self._timeout_s = timeout_s
        self._least_pace = least_pace
        self._opened: Connections | None = None
        self._lock = threading.Lock()

    @contextmanager
    def get(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
    ) -> Iterator[Answer]:
        """Ask for ``url``; redirects are followed, nothing is retried.

        ``timeout_s`` is how long the other side may be silent, where that is not as usual; one
        that sends less than the client's ``least_pace`` counts as silent.
        Answers with 200, 206 and 304 are yielded.  Raises ``AuthError`` for 401 and 403 and
        ``FetchError`` for everything else, also when the body breaks off.
        """
        if url.startswith("file:"):
            yield _file_answer(url)
            return
        with self._connections().get(url, headers=headers or {}, timeout_s=timeout_s) as answer:
            yield answer

    def read(self, url: str, *, most_bytes: int = 256 << 20) -> bytes:
        """The whole body of ``url``.  Raises ``FetchError``, also over ``most_bytes``."""
        with self.get(url) as answer:
            data = bytearray()
            for chunk in answer.body:
                data += chunk
                if len(data) > most_bytes:
                    raise FetchError(f"{url} sent more than {most_bytes} bytes", url=url)
            return bytes(data)

    def _connections(self) -> Connections:
        from bootsmith.host.connections import Connections  # only who asks a server needs them

        with self._lock:
            if self._opened is None:
                self._opened = Connections(
                    user_agent=self._user_agent,
                    timeout_s=self._timeout_s,
                    least_pace=self._least_pace,
                )
            return self._opened


def _file_answer(url: str) -> Answer:
    path = Path(unquote(urlsplit(url).path))
    try:
        data = path.open("rb")
    except FileNotFoundError as error:
        raise FetchError(f"{path} does not exist", url=url, status=404) from error
    except OSError as error:
        raise FetchError(f"{path} cannot be read: {error.strerror}", url=url) from error

    def body() -> Iterator[bytes]:
        with data:
            yield from iter_file_object(data)

    size = os.fstat(data.fileno()).st_size
    return Answer(url=url, status=200, headers={"content-length": str(size)}, body=body())
