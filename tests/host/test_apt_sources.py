from __future__ import annotations

from pathlib import Path

from bootsmith.host.apt_sources import read_apt_sources


def test_files_in_apts_order(tmp_path: Path) -> None:
    folder = tmp_path / "sources.list.d"
    folder.mkdir()
    (tmp_path / "sources.list").write_bytes(b"one")
    (folder / "b.list").write_bytes(b"three")
    (folder / "a.sources").write_bytes(b"two")
    (folder / "c.list.disabled").write_bytes(b"no")
    (folder / "d.list").mkdir()
    (folder / "e.list").symlink_to("nowhere")
    assert read_apt_sources(tmp_path) == (
        ("sources.list", b"one"),
        ("a.sources", b"two"),
        ("b.list", b"three"),
    )


def test_a_file_that_is_too_large_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "sources.list").write_bytes(b"#" * ((1 << 20) + 1))
    assert read_apt_sources(tmp_path) == ()


def test_a_machine_without_apt(tmp_path: Path) -> None:
    assert read_apt_sources(tmp_path / "etc" / "apt") == ()
