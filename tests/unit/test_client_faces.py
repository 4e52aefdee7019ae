"""The client without a service: what it is made of, and what it refuses."""

import inspect

import pytest

from albert.client import Albert, AsyncAlbert, blocking, errors
from albert.client.accounts import AsyncTokens, AsyncUsers
from albert.client.connection import given, segment
from albert.client.conversations import AsyncChats, AsyncFeedbacks, AsyncStreams
from albert.client.errors import ClientError, ReplyInvalid
from albert.client.forms import Account, Citation, read
from albert.client.resuming import AsyncAnswerStream

FACES = [
    (AsyncAlbert, Albert),
    (AsyncAnswerStream, blocking.AnswerStream),
    (AsyncTokens, blocking.Tokens),
    (AsyncUsers, blocking.Users),
    (AsyncChats, blocking.Chats),
    (AsyncStreams, blocking.Streams),
    (AsyncFeedbacks, blocking.Feedbacks),
]
METHODS = [
    pytest.param(core, face, name, id=f"{face.__name__}.{name}")
    for core, face in FACES
    for name, method in vars(core).items()
    if inspect.iscoroutinefunction(method) and not name.startswith("_")
]


@pytest.mark.parametrize(("core", "face", "name"), METHODS)
def test_what_one_client_does_the_other_does_with_the_same_parameters(
    core: type, face: type, name: str
) -> None:
    waiting = getattr(face, name)

    assert not inspect.iscoroutinefunction(waiting)
    assert inspect.signature(waiting) == inspect.signature(getattr(core, name))
    assert waiting.__doc__ == getattr(core, name).__doc__


KINDS = [
    value
    for value in vars(errors).values()
    if isinstance(value, type) and issubclass(value, ClientError)
]


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_has_a_sentence_of_its_own_and_a_place_in_the_tree(
    kind: type[ClientError],
) -> None:
    assert (kind.__doc__ or "").partition("\n")[0].endswith(".")
    assert f" {kind.__name__} " in (errors.__doc__ or "")


def test_nothing_shows_the_token() -> None:
    with Albert("https://albert.exemple.fr/", "albert-secret") as client:
        shown = [repr(client), repr(client.chats), repr(client._core._connection)]

    assert shown[0] == "Albert('https://albert.exemple.fr')"
    assert not [text for text in shown if "secret" in text]


@pytest.mark.parametrize("token", ["sec\nret", "sec ret", "sécret"])
def test_a_token_that_no_header_can_bear_is_refused_and_not_repeated(token: str) -> None:
    with pytest.raises(ValueError, match="printable ASCII") as caught:
        Albert(token=token)

    assert token not in str(caught.value)


@pytest.mark.parametrize(
    "address", ["127.0.0.1:8090", "ftp://exemple.fr", "http://", "http://moi:mdp@exemple.fr"]
)
def test_an_address_that_is_not_one_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="base_url"):
        Albert(address)


def test_a_closed_client_says_so() -> None:
    client = Albert()
    client.close()

    with pytest.raises(ClientError, match="fermé"):
        client.me()


def test_fields_that_are_not_known_are_ignored() -> None:
    citation = read(Citation, b'{"hash": "h", "sid": "F1", "path": ["a", "b"], "new": {}}')

    assert citation == Citation(hash="h", sid="F1", path=("a", "b"))


@pytest.mark.parametrize("body", [b"<html>", b"{}", b'{"id": "secret"}'])
def test_what_is_not_the_form_expected_is_not_repeated(body: bytes) -> None:
    with pytest.raises(ReplyInvalid) as caught:
        read(Account, body)

    assert caught.value.__context__ is None
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("F123", "F123"), ("a/b?c", "a%2Fb%3Fc"), ("..", "%2E%2E"), ("é", "%C3%A9")],
)
def test_a_name_is_one_segment_of_a_path(name: str, expected: str) -> None:
    assert segment(name) == expected


def test_what_is_not_given_is_not_sent() -> None:
    assert given(a=None, b=0, c=False) == {"b": 0, "c": False}


def test_an_answer_that_is_not_over_cannot_be_had() -> None:
    stream = AsyncAnswerStream(AsyncAlbert()._connection, 1)

    with pytest.raises(RuntimeError, match="not over"):
        _ = stream.answer
