"""What a program that builds is told when it chose no reporter, and one that wants no warnings."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from bootsmith.errors import ConfigError
from bootsmith.model.reporter import Silent
from bootsmith.sdk.build_options import BuildOptions
from bootsmith.sdk.image import Image
from bootsmith.sdk.library import Library
from bootsmith.sdk.vm import VM

# Read, warned of, and refused before anything is fetched or run.
CONFIG = {"arch": "x86_64", "debina": {}, "oci": {"image": "debian"}}
OPTIONS = BuildOptions(executor="vm")


def test_a_misspelt_field_is_a_warning_at_the_line_that_builds(tmp_path: Path) -> None:
    with (
        pytest.warns(UserWarning, match="did you mean debian") as heard,
        pytest.raises(ConfigError, match="cannot do"),
    ):
        Library(tmp_path).build(CONFIG, options=OPTIONS)
    assert [one.filename for one in heard] == [__file__]


def test_an_image_into_a_folder_warns_as_well(tmp_path: Path) -> None:
    with (
        pytest.warns(UserWarning, match="did you mean debian") as heard,
        pytest.raises(ConfigError, match="cannot do"),
    ):
        Image.build(CONFIG, output=tmp_path / "image", options=OPTIONS)
    assert [one.filename for one in heard] == [__file__]


def test_a_machine_of_a_config_warns_as_well() -> None:
    with (
        pytest.warns(UserWarning, match="did you mean debian") as heard,
        pytest.raises(ConfigError, match="cannot do"),
    ):
        VM(CONFIG)
    assert {one.filename for one in heard} == {__file__}


def test_who_wants_silence_has_it(tmp_path: Path) -> None:
    with warnings.catch_warnings(), pytest.raises(ConfigError, match="cannot do"):
        warnings.simplefilter("error")
        Library(tmp_path, reporter=Silent()).build(CONFIG, options=OPTIONS)
    with warnings.catch_warnings(), pytest.raises(ConfigError, match="cannot do"):
        warnings.simplefilter("error")
        VM(CONFIG, reporter=Silent())
