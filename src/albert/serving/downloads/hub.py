"""A hub of models, spoken to through Hugging Face's own library; the one file that loads it.

Its ``hf_hub_download`` begins a file again after a kill (2.4: temporary names are random, and
removed), proves no hash, and waits as long as it is told to: so its lower parts are called, one
request each, and the bytes, the patience and the proof are ours.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from albert import __version__
from albert.domain.errors import ModelFileInvalid, ModelUnavailable
from albert.serving.downloads.listing import Listing, Remote
from albert.serving.downloads.partial import Partial, Sink, TooLong
from albert.serving.downloads.refusals import Again, insist, told
from albert.serving.weights import PEEKED

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer
    from huggingface_hub.hf_api import RepoSibling

_ANSWER = 15.0  # seconds for the hub to answer a request that carries no file
_SHA256 = re.compile(r"[0-9a-f]{64}")
_HEXADECIMAL = re.compile(r"[0-9a-f]{40,64}")
_BLOCK = 1 << 18  # bytes held in memory, which a cut loses


@dataclass(frozen=True, slots=True)
class Hub:
    """The hub at ``endpoint``; ``token`` goes there and nowhere else."""

    endpoint: str
    token: str = field(default="", repr=False)
    pauses: tuple[float, ...] = (0.5, 2.0, 5.0, 10.0)
    """Seconds before each new attempt, while nothing comes."""

    @property
    def host(self) -> str:
        return urlsplit(self.endpoint).netloc.rpartition("@")[2]

    def listing(self, repo_id: str, revision: str = "") -> Listing:
        """Return what a repository holds, at the commit that its revision is now.

        Raises:
            ModelUnavailable: it is not there, not for us, or the hub does not answer.
        """

        def attempt() -> Listing:
            _configure()
            from huggingface_hub import HfApi

            what = f"« {repo_id} »" + (f" à la révision « {revision} »" if revision else "")
            with told(what, self.host):
                about = HfApi(
                    endpoint=self.endpoint.rstrip("/"), library_name="albert", token=self._sent
                ).model_info(
                    repo_id, revision=revision or "main", files_metadata=True, timeout=_ANSWER
                )
                files = tuple(_remote(one) for one in about.siblings or ())
                return Listing(repo_id, _hexadecimal(about.sha), files)

        return insist(attempt, host=self.host, pauses=self.pauses)

    def peek(self, listing: Listing, file: Remote) -> bytes:
        """Return the first bytes of a file.

        Raises:
            ModelUnavailable: the hub does not give it.
        """

        def attempt() -> bytes:
            from huggingface_hub.file_download import http_get

            first = _First()
            with told(f"« {file.path} »", self.host):
                location, headers = self._locate(listing, file)
                ranged = {**headers, "Range": f"bytes=0-{PEEKED - 1}"}
                try:
                    http_get(location, first, headers=ranged)
                except _Enough as enough:
                    return enough.octets
            return b""

        return insist(attempt, host=self.host, pauses=self.pauses)

    def bring(
        self,
        listing: Listing,
        partial: Partial,
        *,
        judge: Callable[[bytes], object],
        progress: Callable[[int], None],
        stop: Event,
    ) -> None:
        """Bring what is missing of a file, and prove it; ``progress`` hears of bytes, won or lost.

        Raises:
            ModelUnavailable: the hub refuses, or breaks off again and again.
            ModelFileInvalid: twice, it was not what the hub says; or not what ``judge`` admits.
            Stopped, OSError
        """
        spoiled = 0

        def attempt() -> None:
            nonlocal spoiled
            if not partial.full:
                with Sink(partial, judge=judge, progress=progress, stop=stop) as sink:
                    self._get(listing, partial, sink)
            if not partial.full:
                raise Again("interrompt le transfert")
            if partial.prove():
                return
            progress(-partial.file.size)
            spoiled += 1
            if spoiled == 2:
                raise ModelFileInvalid(
                    f"« {partial.file.path} » ne correspond pas à l'empreinte qu'en donne "
                    f"« {self.host} » : recommencez, ou vérifiez HF_ENDPOINT et le mandataire."
                )
            raise Again("envoie autre chose que ce qu'il annonce")

        insist(attempt, host=self.host, pauses=self.pauses, stop=stop, size=lambda: partial.size)

    def _get(self, listing: Listing, partial: Partial, sink: Sink) -> None:
        from huggingface_hub.file_download import http_get

        with told(f"« {partial.file.path} »", self.host):
            location, headers = self._locate(listing, partial.file)
            try:
                http_get(location, sink, resume_size=partial.size, headers=headers)
            except TooLong:
                sink.truncate(0)
                raise Again("envoie plus que ce qu'il annonce") from None

    def _locate(self, listing: Listing, file: Remote) -> tuple[str, dict[str, str]]:
        """Return where the bytes are, and what to say there."""
        from huggingface_hub import get_hf_file_metadata, hf_hub_url

        endpoint = self.endpoint.rstrip("/")
        url = hf_hub_url(listing.repo_id, file.path, revision=listing.commit, endpoint=endpoint)
        about = get_hf_file_metadata(
            url, timeout=_ANSWER, token=self._sent, library_name="albert", endpoint=endpoint
        )
        proof = about.etag if _SHA256.fullmatch(about.etag or "") else file.sha256
        if about.size not in (None, file.size) or (file.sha256 and proof != file.sha256):
            raise Again(f"se contredit sur « {file.path} »")
        here, there = urlsplit(url), urlsplit(about.location)
        if here.scheme == "https" != there.scheme:
            raise ModelUnavailable(f"« {self.host} » renvoie vers une adresse non chiffrée.")
        same = (here.scheme, here.netloc) == (there.scheme, there.netloc)
        headers = {"User-Agent": f"albert/{__version__}", "Accept-Encoding": "identity"}
        if self.token and same:
            headers["Authorization"] = f"Bearer {self.token}"
        return about.location, headers

    @property
    def _sent(self) -> str | bool:
        """The token of the settings, never one that the library would find by itself."""
        return self.token or False


class _Enough(Exception):
    def __init__(self, octets: bytes) -> None:
        super().__init__()
        self.octets = octets


class _First(io.BytesIO):
    """Takes the first block, and no more."""

    def write(self, block: ReadableBuffer, /) -> int:
        raise _Enough(bytes(block)[:PEEKED])


def _configure() -> None:
    """Have the library say and send nothing by itself; it reads its switches at each call."""
    from huggingface_hub import constants
    from huggingface_hub.utils import logging

    constants.HF_HUB_DISABLE_TELEMETRY = True
    constants.HF_HUB_DISABLE_XET = True
    constants.HF_HUB_DISABLE_PROGRESS_BARS = True
    constants.HF_DEBUG = False
    constants.DOWNLOAD_CHUNK_SIZE = _BLOCK
    logging.set_verbosity(50)  # nothing is as grave: what fails is raised


def _remote(one: RepoSibling) -> Remote:
    """Return a file of the listing; its ids will be names of files here, so they are checked."""
    sha256 = _hexadecimal(one.lfs.sha256) if one.lfs is not None else ""
    size = one.lfs.size if one.lfs is not None else one.size
    if size is None or size < 0:
        raise ValueError("no size")
    return Remote(one.rfilename, size, _hexadecimal(one.blob_id), sha256)


def _hexadecimal(value: str | None) -> str:
    if not value or not _HEXADECIMAL.fullmatch(value):
        raise ValueError("no identifier")
    return value
