"""What the service answers, field by field as its contract names them.

Fields that a newer service adds are ignored; those with a default may be missing.
"""

from __future__ import annotations

from collections.abc import Hashable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter, ValidationError

from albert.client.errors import ReplyInvalid

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    id: int
    username: str
    email: str
    is_confirmed: bool | None
    """``None`` while no admin has decided."""
    is_admin: bool
    organization_id: str | None = None
    organization_name: str | None = None
    accept_cookie: bool = False
    accept_retrain: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiToken:
    """A token by its name; its secret was shown once, when it was created."""

    name: str
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    id: int
    created_at: datetime
    updated_at: datetime
    user_id: int
    chat_name: str | None
    chat_type: str
    operators: tuple[str, ...]
    themes: tuple[str, ...]
    stream_count: int
    """Questions asked in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    id: int
    created_at: datetime
    updated_at: datetime
    user_id: int
    stream_id: int
    type: str
    is_good: bool | None
    note: int | None
    positives: tuple[str, ...]
    negatives: tuple[str, ...]
    message: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """A question, how it was asked, and what is kept of its answer."""

    id: int
    created_at: datetime
    updated_at: datetime
    user_id: int
    chat_id: int | None
    model_name: str
    query: str
    mode: str | None
    limit: int | None
    with_history: bool | None
    context: str
    institution: str
    links: str
    temperature: float
    sources: tuple[str, ...] | None
    should_sids: tuple[str, ...] | None
    must_not_sids: tuple[str, ...] | None
    postprocessing: tuple[str, ...] | None
    is_streaming: bool
    prompt: str | None
    """What was sent to the model: an LZ4 frame, in hexadecimal."""
    response: str | None
    """While it is being written, its beginning."""
    search_sids: tuple[str, ...] | None
    rag_sources: tuple[str, ...] | None
    feedback: Feedback | None
    state: str = ""
    """waiting, running, done, interrupted or failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive(Chat):
    """A chat and all that was said in it, in order."""

    streams: tuple[Stream, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Citation:
    """A passage that an answer rests on; ``quote`` is word for word, or empty."""

    hash: str
    sid: str
    source: str = ""
    title: str = ""
    path: tuple[str, ...] = ()
    """Headings above the passage, from the widest."""
    date: str = ""
    """YYYY-MM-DD, empty where its publisher gives none."""
    url: str = ""
    quote: str = ""
    publisher: str = ""
    licence: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What the guard masked or replaced; ``found`` is made up: never show it as a link."""

    kind: str
    found: str
    replaced_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer, whole. Its text comes from an AI: say so to those who read it."""

    stream_id: int
    model: str
    text: str
    state: str
    """done, or interrupted: by a stop, a reader away too long, a service that ended."""
    answered: bool | None
    """False where nothing in the sheets answers; ``None`` where the service does not say."""
    mode: str | None
    """extractive or model."""
    sources: tuple[Citation, ...]
    findings: tuple[Finding, ...]
    references: tuple[str, ...]
    """Hashes of all the passages that were read, cited or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RelatedQuestion:
    question: str
    sid: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WebService:
    title: str
    institution: str
    url: str
    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Document:
    sid: str
    title: str
    url: str
    introduction: str
    text: str
    context: tuple[str, ...]
    """Headings above the passage, or where the sheet stands, from the widest."""
    theme: str
    surtitre: str
    source: str
    related_questions: tuple[RelatedQuestion, ...]
    web_services: tuple[WebService, ...]
    institution: str = ""
    date: str = ""
    audiences: tuple[str, ...] = ()
    publisher: str = ""
    licence: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk(_Document):
    """A passage, with what its sheet says of it."""

    hash: str
    score: float | None = None
    """Of a search; compares only within one answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetSection:
    context: tuple[str, ...]
    text: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    title: str
    url: str
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet(_Document):
    """A whole sheet; ``text`` is Markdown, the introduction apart."""

    description: str = ""
    warning: str = ""
    sections: tuple[SheetSection, ...] = ()
    contacts: tuple[Contact, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptMode:
    mode: str
    references: bool | None = None
    """Whether the model receives passages of sheets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    model: str
    type: str
    """text-generation or text-embeddings-inference."""
    prompts: tuple[PromptMode, ...] = ()
    owned_by: str = ""
    default: bool = False
    """Whether it answers when a question names no model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Organization:
    """A place where the public is received."""

    id: str
    name: str
    source: str = ""
    kind: str = ""
    address: str = ""
    postcode: str = ""
    town: str = ""
    department: str = ""
    phones: tuple[str, ...] = ()
    mails: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()


@cache
def _adapter(kind: Hashable) -> TypeAdapter[Any]:
    return TypeAdapter(cast("type[Any]", kind))


def read(kind: type[T], body: bytes) -> T:
    """Return ``body``, which is JSON, as a ``kind``.

    Raises:
        ReplyInvalid: it is not one; the error repeats nothing of the body.
    """
    with suppress(ValidationError):
        value: T = _adapter(cast("Hashable", kind)).validate_json(body)
        return value
    raise ReplyInvalid  # outside the block: the other's context would repeat the body
