"""Connections to web servers, by urllib3; its exceptions become ours here.

Loaded with the first request: urllib3 and what it needs of Python take longer than most commands.
"""

from __future__ import annotations

import threading
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import urllib3
from urllib3.exceptions import HTTPError, ProxyError, SSLError
from urllib3.util import Timeout

from bootsmith.errors import AuthError, FetchError, IntegrityError
from bootsmith.host.http import Answer
from bootsmith.host.pace import LeastPace
from bootsmith.host.slow_servers import refuse_slow_servers
from bootsmith.model.streams import CHUNK_BYTES

_RETRYABLE = {408, 425, 429, 500, 502, 503, 504}
_PARALLEL = 8


class Connections:
    """Open connections, by the host they lead to; safe to use from several threads."""

    def __init__(self, *, user_agent: str, timeout_s: float, least_pace: LeastPace) -> None:
        self._headers = {"User-Agent": user_agent}
        self._timeout = Timeout(connect=min(timeout_s, 15), read=timeout_s)
        self._least_pace = least_pace
        self._pools: dict[tuple[str, str], urllib3.PoolManager] = {}
        self._proxies = urllib.request.getproxies()
        self._lock = threading.Lock()

    @contextmanager
    def get(
        self, url: str, *, headers: Mapping[str, str], timeout_s: float | None
    ) -> Iterator[Answer]:
        """See ``HttpClient.get``."""
        try:
            response = self._pool(url).request(
                "GET",
                url,
                headers={**self._headers, **headers},
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

    def _pool(self, url: str) -> urllib3.PoolManager:
        parts = urllib.parse.urlsplit(url)
        place = parts.scheme, parts.hostname or ""
        with self._lock:
            pool = self._pools.get(place)
            if pool is None:
                pool = self._pools[place] = self._new_pool(*place)
            return pool

    def _new_pool(self, scheme: str, host: str) -> urllib3.PoolManager:
        # The user's list of hosts to be asked without a proxy is long to search: once a host.
        proxy = "" if urllib.request.proxy_bypass(host) else self._proxies.get(scheme, "")
        pool = (
            urllib3.ProxyManager(proxy, maxsize=_PARALLEL)
            if proxy
            else urllib3.PoolManager(maxsize=_PARALLEL)
        )
        refuse_slow_servers(pool, self._least_pace)
        return pool


def _body(url: str, response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    try:
        yield from response.stream(CHUNK_BYTES)
    except HTTPError as error:
        raise FetchError(
            f"the answer of {url} broke off: {_in_short(error)}",
            url=url,
            status=None,
            retryable=True,
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
