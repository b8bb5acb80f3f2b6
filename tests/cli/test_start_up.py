"""What is not loaded before it is needed: nobody is to wait for it.

How long it takes is measured (``./dev bench startup``); this says what it consists of.  What a
build loads that finds nothing changed is told in ``pipeline/test_alpine_build``.
"""

from __future__ import annotations

from pathlib import Path

from tests.support.start_up import found_in, image_of_nothing, loaded_by, qemu_that_ends

LARGE = (
    "concurrent.futures", "cryptography", "email", "http.client", "importlib.metadata", "logging",
    "lz4", "pydantic", "pysequoia", "rich", "ssl", "urllib3", "yaml",
)  # fmt: skip
FOR_BUILDS = tuple(
    f"bootsmith.{room}"
    for room in ("config", "library.pulling", "pipeline", "plan", "sandbox", "sources", "store",
                 "tree", "image.ext4")
)  # fmt: skip
FOR_MACHINES = ("bootsmith.vm", "bootsmith.sdk", "bootsmith.image", "bootsmith.manifest")


def test_help_loads_no_command() -> None:
    loaded, said = loaded_by("--help")
    assert "Boot an image, run a command in it" in said
    assert {"click", "bootsmith.cli.main"} <= loaded
    assert found_in(loaded, (*LARGE, *FOR_BUILDS, *FOR_MACHINES, "json", "subprocess")) == []


def test_exec_loads_what_starts_a_machine(tmp_path: Path) -> None:
    loaded, said = loaded_by(
        "exec", image_of_nothing(tmp_path), "--", "true", env=qemu_that_ends(tmp_path)
    )
    assert "QEMU ended with status 1 before the guest was ready: so far" in said
    assert {"bootsmith.vm.runner", "bootsmith.sdk.vm"} <= loaded
    assert found_in(loaded, (*LARGE, *FOR_BUILDS, "cbor2")) == []


def test_a_build_begins_before_all_of_it_is_loaded() -> None:
    loaded, _ = loaded_by("build", "--help")
    assert {"bootsmith.sdk.build_options", "bootsmith.sdk.image"} <= loaded
    assert (
        found_in(loaded, ("pydantic", "bootsmith.config.build_config", "bootsmith.pipeline")) == []
    )


def test_what_is_loaded_is_told(tmp_path: Path) -> None:
    """The checker itself: a wrong config has to be read to be told."""
    (tmp_path / "config.json").write_text('{"arch": "vax"}')
    loaded, said = loaded_by("build", "--config", tmp_path / "config.json")
    assert "vax" in said
    assert found_in(loaded, ("pydantic", "bootsmith.config.build_config"))
