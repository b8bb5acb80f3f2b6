"""Fetching over HTTP(S), and from ``file://`` mirrors by the same door.

urllib3 does the work; its exceptions become ours here.  The user's proxy variables and CA
settings (``HTTPS_PROXY``, ``NO_PROXY``, ``SSL_CERT_FILE`` …) are honoured.
"""

from __future__ import annotations

import os
import threading
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import urllib3
from urllib3.exceptions import HTTPError, ProxyError, SSLError
from urllib3.util import Timeout

from bootsmith.errors import AuthError, FetchError, IntegrityError
from bootsmith.host.files import iter_file_object
from bootsmith.model.streams import CHUNK_BYTES

_RETRYABLE = {408, 425, 429, 500, 502, 503, 504}
_PARALLEL = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer whose body is read in chunks.  Header names are in lower case."""

    url: str
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Iterator[bytes] = field(default_factory=lambda: iter(()))


class HttpClient:
    """Keeps connections open between requests; safe to use from several threads."""

    def __init__(self, *, user_agent: str = "bootsmith", timeout_s: float = 30) -> None:
        self._headers = {"User-Agent": user_agent}
        self._timeout = Timeout(connect=min(timeout_s, 15), read=timeout_s)
        self._pools: dict[str, urllib3.PoolManager] = {}
        self._proxies = urllib.request.getproxies()
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

        ``timeout_s`` is how long the other side may be silent, where that is not as usual.
        Answers with 200, 206 and 304 are yielded.  Raises ``AuthError`` for 401 and 403 and
        ``FetchError`` for everything else, also when the body breaks off.
        """
        if url.startswith("file:"):
            yield _file_answer(url)
            return
        try:
            response = self._pool(url).request(
                "GET",
                url,
                headers={**self._headers, **(headers or {})},
                preload_content=False,
                decode_content=False,
                timeout=self._timeout if timeout_s is None else Timeout(timeout_s, timeout_s),
                retries=urllib3.Retry(total=None, connect=0, read=0, status=0, redirect=5),
            )
        except HTTPError as error:
            raise _unreachable(url, error) from error
        except ValueError as error:  # of urllib.parse, about where a redirect leads
            raise FetchError(f"{url} leads to no address: {error}", url=url) from error
        try:
            _check_status(url, response.status)
            yield Answer(
                url=url,
                status=response.status,
                headers={name.lower(): value for name, value in response.headers.items()},
                body=_body(url, response),
            )
        finally:
            # A body that was not read to its end would poison the connection for the next.
            response.close()
            response.release_conn()

    def read(self, url: str, *, most_bytes: int = 256 << 20) -> bytes:
        """The whole body of ``url``.  Raises ``FetchError``, also over ``most_bytes``."""
        with self.get(url) as answer:
            data = bytearray()
            for chunk in answer.body:
                data += chunk
                if len(data) > most_bytes:
                    raise FetchError(f"{url} sent more than {most_bytes} bytes", url=url)
            return bytes(data)

    def _pool(self, url: str) -> urllib3.PoolManager:
        parts = urllib.parse.urlsplit(url)
        bypassed = urllib.request.proxy_bypass(parts.hostname or "")
        proxy = "" if bypassed else self._proxies.get(parts.scheme, "")
        with self._lock:
            if proxy not in self._pools:
                self._pools[proxy] = (
                    urllib3.ProxyManager(proxy, maxsize=_PARALLEL)
                    if proxy
                    else urllib3.PoolManager(maxsize=_PARALLEL)
                )
            return self._pools[proxy]


def _body(url: str, response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    try:
        yield from response.stream(CHUNK_BYTES)
    except HTTPError as error:
        raise FetchError(
            f"the answer of {url} broke off: {error}", url=url, status=None, retryable=True
        ) from error


def _check_status(url: str, status: int) -> None:
    if status in (200, 206, 304):
        return
    if status in (401, 403):
        raise AuthError(
            f"{url} refused access (HTTP {status})",
            url=url,
            status=status,
            hint="check the credentials for this server",
        )
    raise FetchError(
        f"{url} answered HTTP {status}",
        url=url,
        status=status,
        retryable=status in _RETRYABLE,
        hint="check the address" if status == 404 else None,
    )


def _unreachable(url: str, error: HTTPError) -> FetchError:
    cause = error.reason if isinstance(error, urllib3.exceptions.MaxRetryError) else error
    if isinstance(cause, SSLError):
        return IntegrityError(
            f"the certificate of {url} is not trusted: {cause}",
            url=url,
            expected="a certificate signed by a known authority",
            actual=str(cause),
            hint="set SSL_CERT_FILE if a proxy with its own certificate authority is in the way",
        )
    return FetchError(
        f"{url} cannot be reached: {_in_short(cause)}",
        url=url,
        retryable=True,
        hint="check the network, the address and the proxy settings",
    )


def _in_short(error: BaseException | None) -> str:
    """What the system said at the bottom of urllib3's errors, and whether a proxy was asked."""
    if isinstance(error, ProxyError):
        return f"the proxy does not answer: {_in_short(error.original_error)}"
    reason = error.__cause__ if error is not None else None
    if isinstance(reason, OSError) and reason.strerror:
        return reason.strerror
    return str(error)


def _file_answer(url: str) -> Answer:
    path = Path(urllib.request.url2pathname(urllib.parse.urlsplit(url).path))
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
