"""Downloads against a real server with faults on order."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from time import sleep

import pytest

from bootsmith.errors import AuthError, FetchError, ImageError, IntegrityError
from bootsmith.host.http import HttpClient
from bootsmith.host.pace import LeastPace
from bootsmith.model.digest import Descriptor, Digest, RemoteBlob
from bootsmith.model.reporter import Silent
from bootsmith.store.blobs import Store
from bootsmith.store.fetch import Fetcher, UnnamedBlob
from tests.support.http_server import Fault, serve

NOWHERE = "http://127.0.0.1:9"
DATA = bytes(range(256)) * 4096


class Counting(Silent):
    """Keeps what a progress bar would show."""

    def __init__(self) -> None:
        self.total = 0
        self.arrived = 0
        self.warnings: list[str] = []

    def transfer_started(self, *, blobs: int, size_bytes: int) -> None:
        self.total = size_bytes

    def transferred(self, size_bytes: int) -> None:
        self.arrived += size_bytes

    def warning(self, text: str) -> None:
        self.warnings.append(text)


def blob(*urls: str, data: bytes = DATA) -> RemoteBlob:
    return RemoteBlob(
        descriptor=Descriptor(digest=Digest.of(data), size_bytes=len(data)), urls=urls
    )


def fetcher(
    tmp_path: Path,
    reporter: Silent | None = None,
    *,
    offline: bool = False,
    http: HttpClient | None = None,
) -> Fetcher:
    return Fetcher(
        store=Store(tmp_path / "store"),
        http=http or HttpClient(timeout_s=5),
        reporter=reporter or Silent(),
        offline=offline,
        first_pause_s=0.01,
    )


def leftovers(tmp_path: Path) -> list[str]:
    return [
        path.name
        for folder in ("partial", "blobs/staging")
        for path in (tmp_path / "store" / folder).glob("*")
    ]


def test_blobs_arrive_once_and_whole(tmp_path: Path) -> None:
    files = {f"{n}.deb": bytes([n]) * (n * 1000 + 1) for n in range(20)}
    reporter = Counting()
    with serve(files) as server:
        wanted = [blob(server.url + name, data=data) for name, data in files.items()]
        fetching = fetcher(tmp_path, reporter)
        fetching.fetch(wanted)
        fetching.fetch(wanted)
        assert sorted(server.paths()) == sorted(files)
    for data in files.values():
        source = fetching.store.open_blob(Digest.of(data))
        assert source.read_at(0, source.size_bytes) == data
    assert reporter.arrived == reporter.total == sum(map(len, files.values()))
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize(
    "faults",
    [
        (Fault(status=503),),
        (Fault(cut_after=1000),),
        (Fault(cut_after=1000), Fault(without_range=True)),
        (Fault(silent=True),),
        (Fault(cut_after=0), Fault(cut_after=500_000)),
    ],
    ids=["busy", "cut", "cut-and-no-range", "silent", "cut-twice"],
)
def test_a_passing_fault_is_survived(tmp_path: Path, faults: tuple[Fault, ...]) -> None:
    reporter = Counting()
    with serve({"a": DATA}) as server:
        server.fail("a", *faults)
        fetching = fetcher(tmp_path, reporter)
        fetching.fetch([blob(server.url + "a")])
        assert fetching.store.has(Digest.of(DATA))
    assert reporter.arrived == len(DATA)
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("dribble_after", [0, 10_000], ids=["headers", "body"])
def test_a_server_that_sends_a_byte_now_and_then_is_given_up(
    tmp_path: Path, dribble_after: int
) -> None:
    """And asked again, as one that is silent is; what came is kept."""
    reporter = Counting()
    with serve({"a": DATA}) as server:
        server.fail("a", *[Fault(dribble_after=dribble_after)] * 2)
        http = HttpClient(least_pace=LeastPace(size_bytes=4096, period_s=0.3))
        fetching = fetcher(tmp_path, reporter, http=http)
        fetching.fetch([blob(server.url + "a")])
        assert fetching.store.has(Digest.of(DATA))
        assert len(server.requests) == 3
        server.fail_always("a", Fault(dribble_after=dribble_after))
        with pytest.raises(FetchError, match="which is too slow") as caught:
            http.read(server.url + "a")
    assert caught.value.retryable
    assert reporter.arrived == len(DATA)


def test_a_cut_download_is_continued_by_the_next_run(tmp_path: Path) -> None:
    with serve({"a": DATA}) as server:
        server.fail_always("a", Fault(cut_after=100_000))
        with pytest.raises(FetchError):
            fetcher(tmp_path).fetch([blob(server.url + "a")])
        assert leftovers(tmp_path) == [Digest.of(DATA).hex]
        server.heal()
        asked = len(server.requests)
        fetcher(tmp_path).fetch([blob(server.url + "a")])
        assert server.requests[asked].headers["range"].startswith("bytes=")


def test_wrong_bytes_are_refused_and_not_asked_for_again(tmp_path: Path) -> None:
    with serve({"a": DATA}) as server:
        server.fail_always("a", Fault(replace_with=b"x" * len(DATA)))
        fetching = fetcher(tmp_path)
        with pytest.raises(IntegrityError) as caught:
            fetching.fetch([blob(server.url + "a")])
        assert caught.value.expected == str(Digest.of(DATA))
        assert len(server.requests) == 1
        assert not fetching.store.has(Digest.of(DATA))
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("served", [DATA + b"!", DATA[:-1], b""], ids=["more", "less", "none"])
def test_another_size_than_promised_is_refused_at_once(tmp_path: Path, served: bytes) -> None:
    with serve({"a": served}) as server:
        with pytest.raises(IntegrityError, match="instead of"):
            fetcher(tmp_path).fetch([blob(server.url + "a")])
        assert len(server.requests) == 1


def test_a_file_that_shrank_since_the_first_half_came(tmp_path: Path) -> None:
    partial = tmp_path / "store" / "partial" / Digest.of(DATA).hex
    partial.parent.mkdir(parents=True)
    partial.write_bytes(DATA[:1000])
    with serve({"a": DATA[:500]}) as server, pytest.raises(IntegrityError):
        fetcher(tmp_path).fetch([blob(server.url + "a")])
    assert not partial.exists()


def test_a_continued_download_with_a_wrong_half_is_fetched_whole_once(tmp_path: Path) -> None:
    reporter = Counting()
    partial = tmp_path / "store" / "partial" / Digest.of(DATA).hex
    partial.parent.mkdir(parents=True)
    partial.write_bytes(b"not the beginning")
    with serve({"a": DATA}) as server:
        fetching = fetcher(tmp_path, reporter)
        fetching.fetch([blob(server.url + "a")])
        assert fetching.store.has(Digest.of(DATA))
    assert len(reporter.warnings) == 1
    assert reporter.arrived == reporter.total == len(DATA)
    assert leftovers(tmp_path) == []


def test_the_next_address_is_tried(tmp_path: Path) -> None:
    with serve({"b": DATA}) as server:
        fetching = fetcher(tmp_path)
        fetching.fetch([blob(server.url + "gone", server.url + "b")])
        assert server.paths() == ["gone", "b"]
        assert fetching.store.has(Digest.of(DATA))


def test_a_mirror_with_other_bytes_is_told_before_the_next_is_asked(tmp_path: Path) -> None:
    reporter = Counting()
    with serve({"a": DATA, "b": DATA}) as server:
        server.fail_always("a", Fault(replace_with=b"x" * len(DATA)))
        fetcher(tmp_path, reporter).fetch([blob(server.url + "a", server.url + "b")])
    (warning,) = reporter.warnings
    assert f"{server.url}a is not what it should be" in warning
    assert warning.endswith("trying the next address")
    assert reporter.arrived == reporter.total


@pytest.mark.parametrize(("status", "kind"), [(404, FetchError), (403, AuthError)])
def test_a_final_answer_is_not_retried(tmp_path: Path, status: int, kind: type[FetchError]) -> None:
    with serve({}) as server:
        server.fail_always("a", Fault(status=status))
        with pytest.raises(kind) as caught:
            fetcher(tmp_path).fetch([blob(server.url + "a")])
        assert caught.value.status == status
        assert len(server.requests) == 1


def test_offline_asks_nobody(tmp_path: Path) -> None:
    with serve({"a.deb": DATA}) as server:
        with pytest.raises(ImageError, match=r"a\.deb"):
            fetcher(tmp_path, offline=True).fetch([blob(server.url + "a.deb")])
        assert server.requests == []


def test_a_folder_serves_as_a_mirror(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(DATA)
    fetching = fetcher(tmp_path)
    fetching.fetch([blob((tmp_path / "a").as_uri())])
    assert fetching.store.has(Digest.of(DATA))


def unnamed(url: str, admitted: list[Descriptor], *, right: bytes = DATA) -> UnnamedBlob:
    """A file that is right when it is ``right``, which only its reader can tell."""

    def admit(found: Descriptor) -> None:
        if found.digest != Digest.of(right):
            raise IntegrityError("not it", expected="this", actual="that")
        admitted.append(found)

    return UnnamedBlob(key=Digest.of(url.encode()), size_bytes=len(right), url=url, admit=admit)


def test_a_file_whose_digest_nobody_told_is_judged_when_it_is_here(tmp_path: Path) -> None:
    admitted: list[Descriptor] = []
    fetching = fetcher(tmp_path)
    with serve({"a.apk": DATA}) as server:
        fetching.take_in([unnamed(server.url + "a.apk", admitted)])
    assert admitted == [Descriptor(digest=Digest.of(DATA), size_bytes=len(DATA))]
    assert fetching.store.has(Digest.of(DATA))
    assert leftovers(tmp_path) == []


def test_a_file_that_its_reader_refuses_is_not_asked_for_again(tmp_path: Path) -> None:
    with serve({"a.apk": bytes(len(DATA))}) as server:
        with pytest.raises(IntegrityError, match="not it"):
            fetcher(tmp_path).take_in([unnamed(server.url + "a.apk", [])])
        assert server.paths() == ["a.apk"]
    assert leftovers(tmp_path) == []


def test_a_refusal_lets_the_next_download_of_the_file_alone(tmp_path: Path) -> None:
    """While what came is judged its name is free, and another process may have begun again."""
    admitted: list[Descriptor] = []
    begun: list[Future[None]] = []
    with serve({"a.apk": DATA}) as server, ThreadPoolExecutor(1) as another:
        server.fail("a.apk", Fault(replace_with=bytes(len(DATA))), Fault(delay_s=0.2))
        wanted = unnamed(server.url + "a.apk", admitted)
        path = tmp_path / "store" / "partial" / wanted.key.hex

        def refuse(found: Descriptor) -> None:
            begun.append(another.submit(fetcher(tmp_path).take_in, [wanted]))
            while not path.exists():
                sleep(0.001)
            raise IntegrityError("not it", expected="this", actual="that")

        with pytest.raises(IntegrityError, match="not it"):
            fetcher(tmp_path).take_in([replace(wanted, admit=refuse)])
        begun[0].result()
    assert [one.digest for one in admitted] == [Digest.of(DATA)]
    assert leftovers(tmp_path) == []


def test_an_unnamed_file_of_another_size_is_refused(tmp_path: Path) -> None:
    with serve({"a.apk": DATA + b"x"}) as server, pytest.raises(IntegrityError, match="bytes"):
        fetcher(tmp_path).take_in([unnamed(server.url + "a.apk", [])])


def test_an_unnamed_file_of_two_halves_is_fetched_whole_once(tmp_path: Path) -> None:
    admitted: list[Descriptor] = []
    reporter = Counting()
    with serve({"a.apk": DATA}) as server:
        wanted = unnamed(server.url + "a.apk", admitted)
        partial = tmp_path / "store" / "partial" / wanted.key.hex
        partial.parent.mkdir(parents=True)
        partial.write_bytes(b"of another file")
        fetcher(tmp_path, reporter).take_in([wanted])
        assert server.paths() == ["a.apk", "a.apk"]
    assert len(admitted) == len(reporter.warnings) == 1


@pytest.mark.parametrize(
    ("proxy", "why"), [("", "Connection refused"), (NOWHERE, "the proxy does not answer: ")]
)
def test_a_server_that_is_not_there_is_told_in_the_systems_words(
    proxy: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", proxy)
    monkeypatch.setenv("no_proxy", "")
    with pytest.raises(FetchError) as caught:
        HttpClient().read(f"{NOWHERE}/x")
    said = str(caught.value)
    assert said.startswith(f"{NOWHERE}/x cannot be reached: {why}")
    assert said.endswith("Connection refused")
    assert "HTTPConnection" not in said
