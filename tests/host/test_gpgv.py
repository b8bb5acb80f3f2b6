from __future__ import annotations

import pytest

from bootsmith.errors import ToolMissing
from bootsmith.host.gpgv import gpgv
from tests.support.debian_repository import SigningKey
from tests.support.judges import require

TEXT = b"Origin: Debian\nSuite: stable\n"


@pytest.mark.judge
def test_what_gpgv_says() -> None:
    require("gpgv")
    key, other = SigningKey.generate(), SigningKey.generate()
    good = gpgv(key.clearsign(TEXT), keyring=key.public_binary)
    assert good.text.strip() == TEXT.strip()
    assert any(line.startswith("GOODSIG ") for line in good.status)
    bad = gpgv(TEXT + b"x", keyring=key.public_binary, signature=key.detached(TEXT))
    assert any(line.startswith("BADSIG ") for line in bad.status)
    unknown = gpgv(other.clearsign(TEXT), keyring=key.public_binary)
    assert any(line.startswith("NO_PUBKEY ") for line in unknown.status)
    nothing = gpgv(TEXT, keyring=key.public_binary)
    assert nothing.text == b""
    assert not any(line.startswith("GOODSIG ") for line in nothing.status)


def test_without_gpgv(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bootsmith.host.tools.find_tool", lambda name: None)
    with pytest.raises(ToolMissing):
        gpgv(TEXT, keyring=b"")
