"""What somebody reads who has mistyped, or has nothing yet."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from bootsmith.cli.main import bootsmith as group
from tests.support.debian_images import BOOTSMITH, bootsmith
from tests.support.stored_images import write_small_image


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("bulid",), "there is no command 'bulid': did you mean build?"),
        (("frobnicate",), "there is no command 'frobnicate'"),
        (("exec", "--memroy", "1", "--", "true"), "no such option '--memroy'"),
        (("exec", "--memory", "20", "--", "true"), "'20' is less than 64 MiB"),
        (("bash", "--", "true"), "bash takes no command; to run one: bootsmith exec -- true"),
        (
            ("bash", "-v", "some", "--", "ls", "a b"),
            "bash takes no command; to run one: bootsmith exec -v some -- ls 'a b'",
        ),
        (("stop",), "missing argument 'ID...'"),
        (("build", "my.json"), "'my.json' stands alone: did you mean --config my.json?"),
        (("build", "debian"), "'debian' stands alone: did you mean --preset debian?"),
    ],
)
def test_wrong_usage_is_one_sentence_and_where_to_look(words: tuple[str, ...], said: str) -> None:
    done = bootsmith(*words)
    first, last = done.stderr.decode().splitlines()
    assert done.returncode == 2
    assert first.startswith("error: ")
    assert said in first
    assert last.startswith("hint: see: bootsmith ")
    assert last.endswith(" --help")


@pytest.mark.parametrize("words", [("exec", "--", "true"), ("bash",), ("verify",)])
def test_without_any_image_one_is_told_how_to_make_it(
    words: tuple[str, ...], tmp_path: Path
) -> None:
    done = bootsmith(*words, cwd=tmp_path, env={"BOOTSMITH_GUEST_DIR": ""})
    assert done.returncode == 1
    assert done.stderr.decode().splitlines() == [
        "error: no image is named, and there is no folder bootsmith-image here",
        "hint: make one with: bootsmith build; or name one that bootsmith image ls shows",
    ]


@pytest.mark.parametrize("words", [("exec", "--", "true"), ("bash",), ("verify",)])
@pytest.mark.parametrize("variable", ["BOOTSMITH_GUEST_DIR", "GONDOLIN_GUEST_DIR"])
def test_a_folder_that_a_variable_names_is_told_with_it(
    words: tuple[str, ...], variable: str, tmp_path: Path
) -> None:
    def said(folder: Path) -> list[str]:
        env = {"BOOTSMITH_GUEST_DIR": "", "GONDOLIN_GUEST_DIR": "", variable: str(folder)}
        done = bootsmith(*words, cwd=tmp_path, env=env)
        assert done.returncode == 1
        return done.stderr.decode().splitlines()

    no_folder = tmp_path / "none"
    error, hint = said(no_folder)
    assert error == (
        f"error: {variable} is to be the folder of an image, and there is no folder {no_folder}"
    )
    assert hint == f"hint: make one with: bootsmith build --output {no_folder}; or name an image"
    error, hint = said(tmp_path)
    assert error.startswith(f"error: there is no image in {tmp_path}: ")
    assert hint.endswith(f"; no image is named, and so {variable} says where it is")


@pytest.mark.parametrize("name", ["image", "guest"])
def test_no_line_of_a_groups_help_is_cut_short(name: str) -> None:
    assert "..." not in bootsmith(name, "--help").stdout.decode().partition("Commands:")[2]


def every_command(
    command: click.Command, *above: str
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield above, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from every_command(below, *above, name)


def test_every_option_says_what_it_does_in_words() -> None:
    commands = list(every_command(group, "bootsmith"))
    assert ("bootsmith", "image", "ls") in dict(commands)
    for words, command in commands:
        options = [param for param in command.params if isinstance(param, click.Option)]
        silent = [option.opts for option in options if not option.help]
        assert silent == [], words
        context = click.Context(command, info_name=words[-1])
        assert "<=" not in command.get_help(context), words


FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full, where nothing can be written")
@pytest.mark.parametrize("words", [("--help",), ("schema",), ("list",), ("exec", "--help")])
def test_an_output_that_cannot_be_written_is_told_once(words: tuple[str, ...]) -> None:
    with FULL.open("wb") as full:
        done = subprocess.run(
            [BOOTSMITH, *words], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.stderr == "error: cannot write the output: No space left on device\n"
    assert done.returncode == 1


def test_a_reader_that_has_gone_is_told_nothing() -> None:
    words = ("sh", "-c", '"$1" schema; echo $? >&2', "sh", BOOTSMITH)
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None
        running.stdout.close()
        assert running.stderr is not None
        assert running.stderr.read() == b"1\n"


def test_an_image_may_stand_behind_dashes(tmp_path: Path) -> None:
    write_small_image(tmp_path / "-image")
    done = bootsmith("bash", "--resume", "none", "--", "./-image", cwd=tmp_path)
    assert "none" in done.stderr.decode()
    assert "takes no command" not in done.stderr.decode()
