"""Fetching an image that a registry offers: the index, the archive, the intake."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bootsmith.errors import IntegrityError
from bootsmith.host.files import FileSink
from bootsmith.host.http import HttpClient
from bootsmith.host.paths import ensure_folder
from bootsmith.host.patience import patiently
from bootsmith.host.work_place import work_place
from bootsmith.library.archive import unpack_image
from bootsmith.library.image_files import read_manifest
from bootsmith.library.intake import Intake, Taken, Transfer
from bootsmith.library.registry import Offer, parse_registry
from bootsmith.model.arch import Arch
from bootsmith.model.digest import Digest
from bootsmith.model.reporter import Reporter

_REGISTRY_MOST_BYTES = 16 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Puller:
    """Brings images from registries into the library; prefers images for ``host``.

    ``first_pause_s`` passes before the second try; each further pause is twice as long.
    """

    intake: Intake
    http: HttpClient
    reporter: Reporter
    host: Arch
    first_pause_s: float = 0.5

    def pull(self, text: str, *, registry_url: str, arch: Arch | None) -> Taken:
        """Have the image that the registry calls ``text`` under that name.

        What is in the library already is not fetched again.  Raises ``FetchError``,
        ``IntegrityError`` when digest, build id or architecture are not as promised, and what
        ``Intake.take`` raises.
        """
        self.reporter.stage(f"Asking {registry_url}")
        data = self.http.read(registry_url, most_bytes=_REGISTRY_MOST_BYTES)
        offer, reference = parse_registry(data, url=registry_url).find(
            text, arch=arch, host=self.host
        )
        references = (reference,) if reference else ()
        if self.intake.is_sound(offer.build_id):
            return self.intake.call(offer.build_id, references)
        with work_place(self.intake.shelf.work, label="pull") as place:
            archive, folder = place / "archive", place / "image"
            patiently(
                partial(self._fetch, offer, archive),
                first_pause_s=self.first_pause_s,
                reporter=self.reporter,
            )
            self.reporter.stage(f"Taking in {offer.build_id}")
            ensure_folder(folder)
            unpack_image(archive, folder, beside=place)
            _check_promise(folder, offer)
            return self.intake.take(folder, references=references, transfer=Transfer.MOVE)

    def _fetch(self, offer: Offer, target: Path) -> None:
        hasher = hashlib.sha256()
        with self.http.get(offer.url) as answer, FileSink(target) as sink:
            announced = answer.headers.get("content-length", "")
            size_bytes = int(announced) if announced.isdigit() else 0
            self.reporter.transfer_started(blobs=1, size_bytes=size_bytes)
            try:
                for chunk in answer.body:
                    hasher.update(chunk)
                    sink.write(chunk)
                    self.reporter.transferred(len(chunk))
            finally:
                self.reporter.transfer_ended()
        found = Digest.sha256(hasher.hexdigest())
        if offer.digest not in (None, found):
            raise IntegrityError(
                f"{offer.url} is not what the registry promised: its digest is {found}, "
                f"expected {offer.digest}",
                url=offer.url,
                expected=str(offer.digest),
                actual=str(found),
                hint="the archive, or something on the way to it, was changed",
            )


def _check_promise(folder: Path, offer: Offer) -> None:
    """Raises ``IntegrityError`` when the image is another one than was offered."""
    _, manifest = read_manifest(folder)
    for what, expected, actual in (
        ("build id", offer.build_id, manifest.build_id),
        ("architecture", str(offer.arch or manifest.arch), str(manifest.arch)),
    ):
        if expected != actual:
            raise IntegrityError(
                f"{offer.url} is not what the registry promised: its {what} is {actual}, "
                f"expected {expected}",
                url=offer.url,
                expected=expected,
                actual=actual,
                hint="tell whoever keeps the registry",
            )
