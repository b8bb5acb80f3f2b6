"""The two streams of a command's output, by their names on the wire."""

from __future__ import annotations

from enum import Enum


class Stream(Enum):
    STDOUT = "stdout"
    STDERR = "stderr"
