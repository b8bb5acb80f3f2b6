"""Indexes are asked for afresh each time, and cheaply."""

from __future__ import annotations

from pathlib import Path

import pytest

from bootsmith.errors import FetchError, ImageError
from bootsmith.host.http import HttpClient
from bootsmith.model.digest import Descriptor, Digest
from bootsmith.model.reporter import Silent
from bootsmith.store.blobs import Store
from bootsmith.store.fetch import Fetcher
from bootsmith.store.index_cache import IndexCache
from tests.support.http_server import Fault, serve


def cache(tmp_path: Path, url: str, *, offline: bool = False) -> IndexCache:
    store, http = Store(tmp_path), HttpClient(timeout_s=5)
    fetcher = Fetcher(store=store, http=http, reporter=Silent(), offline=offline)
    return IndexCache(base=url.rstrip("/"), store=store, http=http, fetcher=fetcher)


def test_an_unchanged_index_is_not_sent_again(tmp_path: Path) -> None:
    with serve({"dists/x/InRelease": b"one"}) as server:
        for _ in range(2):
            assert cache(tmp_path, server.url).fresh("dists/x/InRelease") == b"one"
        assert [request.status for request in server.requests] == [200, 304]


def test_a_changed_index_is_seen_at_once(tmp_path: Path) -> None:
    with serve({"InRelease": b"one"}) as server:
        assert cache(tmp_path, server.url).fresh("InRelease") == b"one"
        server.files["InRelease"] = b"two"
        assert cache(tmp_path, server.url).fresh("InRelease") == b"two"


def test_another_mirror_is_another_index(tmp_path: Path) -> None:
    with serve({"InRelease": b"one"}) as first, serve({"InRelease": b"two"}) as second:
        assert cache(tmp_path, first.url).fresh("InRelease") == b"one"
        assert cache(tmp_path, second.url).fresh("InRelease") == b"two"


def test_an_old_index_is_not_passed_off_as_new(tmp_path: Path) -> None:
    with serve({"InRelease": b"one"}) as server:
        cache(tmp_path, server.url).fresh("InRelease")
        server.fail_always("InRelease", Fault(status=503))
        with pytest.raises(FetchError):
            cache(tmp_path, server.url).fresh("InRelease")


def test_offline_takes_what_was_seen_last_and_asks_nobody(tmp_path: Path) -> None:
    with serve({"InRelease": b"one", "other": b""}) as server:
        cache(tmp_path, server.url).fresh("InRelease")
        offline = cache(tmp_path, server.url, offline=True)
        assert offline.fresh("InRelease") == b"one"
        with pytest.raises(ImageError, match="never fetched"):
            offline.fresh("other")
        assert len(server.requests) == 1


def test_a_lost_copy_is_fetched_again(tmp_path: Path) -> None:
    with serve({"InRelease": b"one"}) as server:
        cache(tmp_path, server.url).fresh("InRelease")
        Store(tmp_path).blobs.path(Digest.of(b"one")).unlink()
        assert cache(tmp_path, server.url).fresh("InRelease") == b"one"
        assert [request.status for request in server.requests] == [200, 200]


@pytest.mark.parametrize("record", [b"", b"[]", b"{}", b'{"digest": 1, "validators": 2}'])
def test_a_damaged_record_is_no_obstacle(tmp_path: Path, record: bytes) -> None:
    with serve({"InRelease": b"one"}) as server:
        cache(tmp_path, server.url).fresh("InRelease")
        (written,) = (tmp_path / "indexes").iterdir()
        written.write_bytes(record)
        assert cache(tmp_path, server.url).fresh("InRelease") == b"one"


def test_a_blob_is_found_under_the_first_path_that_has_it(tmp_path: Path) -> None:
    data = b"Package: x\n"
    expected = Descriptor(digest=Digest.of(data), size_bytes=len(data))
    with serve({"Packages": data}) as server:
        source = cache(tmp_path, server.url).blob(["by-hash/none", "Packages"], expected)
        assert source.read_at(0, 100) == data
