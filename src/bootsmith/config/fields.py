"""The kinds of values that stand in a build config, each with what is allowed in it.

Text becomes a value here, once.  A validator says what is wrong in the user's terms;
``config.problems`` gives that a place.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainSerializer,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema
from pydantic_core.core_schema import (
    int_schema,
    no_info_after_validator_function,
    no_info_before_validator_function,
)

from bootsmith.errors import ConfigError, UnsafePath
from bootsmith.model.arch import Arch
from bootsmith.model.guest_path import guest_path

_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HOSTNAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
# No user and password: the config stands in the manifest of every image.
_MIRROR = re.compile(r"https?://[^/\s?#@]+(/[^\s?#]*)?|file:///[^\s?#]*")
_PASSWORD = re.compile(r"(?<=://)[^/\s@]*@")
_MODE = re.compile(r"(0o)?[0-7]{3,5}")
_LABEL_BYTES = 16
_MODE_MAX = 0o7777
# What the shell that reads them gives a meaning, or forbids to change.
_SHELLS_OWN = frozenset({"IFS", "OPTIND", "PPID", "PS4", "UID", "EUID", "BASHOPTS", "SHELLOPTS"})


class Part(BaseModel):
    """A frozen part of a config, in camel case outside.  ``config.parse`` tells unknown keys.

    No part has a checker of its own until one is asked for: that of the whole config checks them
    all, and each takes milliseconds to make.  So default parts are made by ``model_construct``,
    which checks nothing; defaults never are checked.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        alias_generator=to_camel,
        populate_by_name=True,
        defer_build=True,
    )


class ManyProblems(ValueError):
    """Several mistakes in one value; each with its place in it (``"[2]"``, ``".NAME"``)."""

    def __init__(self, problems: list[tuple[str, str]]) -> None:
        super().__init__("; ".join(message for _, message in problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Between:
    """Demands a whole number from ``least`` to ``most``.  40.0 is one, as JSON Schema has it."""

    least: int
    most: int

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return no_info_before_validator_function(
            self._as_int, int_schema(strict=True, ge=self.least, le=self.most)
        )

    @staticmethod
    def _as_int(value: object) -> object:
        return int(value) if isinstance(value, float) and value.is_integer() else value


@dataclass(frozen=True, slots=True)
class Matches:
    """Demands text that ``pattern`` matches as a whole; ``what`` says what that is."""

    pattern: re.Pattern[str]
    what: str

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {**handler(schema), "pattern": f"^(?:{self.pattern.pattern})$"}

    def _check(self, value: str) -> str:
        if not self.pattern.fullmatch(value):
            if _PASSWORD.search(value):
                raise ValueError("an address must not hold a user or a password")
            raise ValueError(f"{value!r} is not {self.what}")
        return value


def encodable(value: str) -> str:
    """Text that can be written to a file.  Raises ``ValueError`` for half a surrogate pair."""
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"holds {value[error.start]!r}, which is no character") from error
    return value


def _arch(value: object) -> object:
    if isinstance(value, Arch) or value is None:
        return value
    if not isinstance(value, str):
        raise ValueError("must be the name of an architecture: x86_64 or aarch64")  # noqa: TRY004
    try:
        return Arch.parse(value)
    except ConfigError as error:
        raise ValueError(f"{error.problems[0].message}: {error.problems[0].suggestion}") from None


def _environment(value: object) -> object:
    """``{"A": "1"}`` or ``["A=1"]``, as a mapping in the order of the names."""
    wrong: list[tuple[str, str]] = []
    if isinstance(value, (list, tuple)):
        pairs = dict(_assignments(value, wrong))
    elif isinstance(value, Mapping):
        pairs = {name: (f".{name}", text) for name, text in value.items()}
    else:
        return value
    for name, (place, text) in pairs.items():
        wrong += [(place, mistake) for mistake in _mistakes(name, text)]
    if wrong:
        raise ManyProblems(wrong)
    return {name: text for name, (_, text) in sorted(pairs.items())}


def _assignments(
    items: list[object] | tuple[object, ...], wrong: list[tuple[str, str]]
) -> Mapping[str, tuple[str, object]]:
    """As Gondolin has it: without ``=`` the value is empty, and of a name the last entry counts.

    ``config.assignments`` tells of both.
    """
    pairs: dict[str, tuple[str, object]] = {}
    for index, item in enumerate(items):
        if not isinstance(item, str):
            wrong.append((f"[{index}]", f"{item!r} is not of the form NAME=value"))
            continue
        name, _, text = item.partition("=")
        pairs[name] = (f"[{index}]", text)
    return pairs


def _mistakes(name: object, text: object) -> list[str]:
    if not isinstance(name, str) or not _ENV_NAME.fullmatch(name):
        return [f"{name!r} is not a name a shell can export"]
    if name in _SHELLS_OWN:
        return [f"{name} belongs to the shell and cannot be set"]
    if not isinstance(text, str):
        return [f"the value of {name} must be text, in quotes"]
    if "\0" in text:
        return [f"the value of {name} holds a NUL character"]
    try:
        encodable(text)
    except ValueError as error:
        return [f"the value of {name} {error}"]
    return []


def _absolute(value: str) -> str:
    if not value.startswith("/"):
        raise ValueError(f"{value!r} is not an absolute path inside the guest")
    try:
        guest_path(encodable(value))
    except UnsafePath as error:
        raise ValueError(str(error)) from error
    return value


def _host_path(value: str) -> str:
    if not value or "\0" in encodable(value):
        raise ValueError(f"{value!r} is not a path")
    return value


def _path_or_address(value: str) -> str:
    if "://" not in value:
        return _host_path(value)
    if _PASSWORD.search(value):
        raise ValueError("an address must not hold a user or a password")
    if not _MIRROR.fullmatch(value):
        raise ValueError(f"{value!r} is neither a path nor an http, https or file address")
    return value


def _label(value: str) -> str:
    if len(encodable(value).encode()) > _LABEL_BYTES:
        raise ValueError(f"{value!r} is longer than the {_LABEL_BYTES} bytes ext4 has for it")
    return value


def _mode(value: object) -> object:
    """``"0755"``, octal as chmod takes it.

    A number is refused, since 755 in JSON is not what it looks like (octal 1363).
    """
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise ValueError('must be octal digits in quotes, such as "0755"')  # noqa: TRY004
    if isinstance(value, int):
        meant = [text for text in (str(value), f"{value:o}") if _MODE.fullmatch(text)]
        shown = " or ".join(f'"{text.zfill(4)}"' for text in meant) or '"0755"'
        raise ValueError(  # noqa: TRY004  (pydantic collects only these)
            f"{value} is a decimal number, and a mode is octal digits in quotes: write {shown}"
        )
    if not _MODE.fullmatch(value) or int(value, 8) > _MODE_MAX:
        raise ValueError(f"{value!r} is not an octal mode such as '0755'")
    return int(value, 8)


Architecture: TypeAlias = Annotated[
    Arch,
    BeforeValidator(_arch),
    WithJsonSchema({"type": "string", "enum": ["x86_64", "aarch64", "amd64", "arm64"]}),
]
Environment: TypeAlias = Annotated[
    Mapping[str, str],
    BeforeValidator(_environment),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "object", "additionalProperties": {"type": "string"}},
                {"type": "array", "items": {"type": "string", "pattern": "^[A-Za-z_]\\w*=.*"}},
            ]
        }
    ),
]
AbsolutePath: TypeAlias = Annotated[
    str, AfterValidator(_absolute), WithJsonSchema({"type": "string", "pattern": "^/"})
]
MirrorAddress: TypeAlias = Annotated[
    str, Matches(_MIRROR, "an http, https or file address such as http://ftp.debian.org/debian")
]
Sha256: TypeAlias = Annotated[
    str, Matches(re.compile(r"[0-9a-f]{64}"), "the 64 hexadecimal digits of a SHA-256 digest")
]
HostName: TypeAlias = Annotated[str, Matches(_HOSTNAME, "a host name")]
HostPath: TypeAlias = Annotated[str, AfterValidator(_host_path)]
PathOrAddress: TypeAlias = Annotated[str, AfterValidator(_path_or_address)]
Text: TypeAlias = Annotated[str, AfterValidator(encodable)]
Label: TypeAlias = Annotated[str, AfterValidator(_label)]
Flag: TypeAlias = Annotated[bool, Field(strict=True)]
Mode: TypeAlias = Annotated[
    int,
    BeforeValidator(_mode),
    PlainSerializer(lambda mode: f"{mode:04o}", return_type=str),
    WithJsonSchema({"type": "string", "pattern": "^(0o)?[0-7]{3,5}$"}),
]
