"""POST /v1/chat/completions, called without a server."""

import asyncio

import orjson
import pytest

from albert.api.app import create_app
from albert.assistant.contract import EXTRACTIVE, Answerer
from albert.assistant.guarded import GuardedAnswerer
from albert.domain.conversation import Message, Sampling
from albert.domain.documents import SourceName
from albert.domain.errors import ModelOverloaded, PromptTooLong
from albert.guard.stream import AddressGuard
from albert.guard.whitelist import Whitelist
from albert.testing.answers import ScriptedAnswerer
from albert.testing.services import PASSPORT, Answered, ask, scripted
from albert.wire.sse import Decoder

QUESTION = [{"role": "user", "content": "Combien coûte un passeport ?"}]
SPEAKING = ["Le passeport ", "coûte 86 €."]


def chat(body: object, *answerers: Answerer) -> Answered:
    return asyncio.run(ask(create_app(scripted(*answerers)), "POST", "/v1/chat/completions", body))


def events(answered: Answered) -> list[dict[str, object]]:
    """The data events before [DONE], which must be the last."""
    *before, last = Decoder().feed(answered.body)
    assert last.data == "[DONE]"
    return [orjson.loads(event.data) for event in before]


def first_choice(event: dict[str, object]) -> dict[str, object]:
    choices = event["choices"]
    assert isinstance(choices, list)
    choice: dict[str, object] = choices[0]
    return choice


def error(answered: Answered) -> dict[str, object]:
    detail = answered.json()["error"]
    assert isinstance(detail, dict)
    assert set(detail) == {"message", "type", "param", "code"}
    return detail


class TestWhole:
    def test_the_answer_names_the_passages_it_rests_on(self) -> None:
        answered = chat({"model": EXTRACTIVE, "messages": QUESTION}).json()

        assert first_choice(answered)["message"] == {
            "role": "assistant",
            "content": "Le passeport coûte 86 €.",
            "refusal": None,
        }
        assert answered["rag_context"] == [{"strategy": "last", "references": [PASSPORT.id]}]
        assert answered["mode"] == "extractive"
        assert answered["sources"] == [
            {
                "hash": PASSPORT.id,
                "sid": "F14929",
                "source": "service-public",
                "title": "Passeport",
                "path": ["Coût"],
                "date": "2020-04-30",
                "url": "https://www.service-public.fr/particuliers/vosdroits/F14929",
                "quote": "Le passeport coûte 86 €.",
                "publisher": "DILA / service-public.fr",
                "licence": "Licence Ouverte 2.0",
            }
        ]

    def test_tokens_of_question_and_answer_are_counted(self) -> None:
        answered = chat({"messages": QUESTION}).json()

        assert answered["usage"] == {
            "prompt_tokens": 5,
            "completion_tokens": 5,
            "total_tokens": 10,
        }

    def test_the_headers_say_who_wrote_it_and_how_old_the_sheets_are(self) -> None:
        headers = chat({"messages": QUESTION}).headers

        assert "automated system" in headers["x-albert-ai"]
        assert headers["x-albert-corpus-date"] == "2020-04-30"
        assert headers["x-request-id"]


class TestStream:
    def test_pieces_come_as_they_are_said_and_sources_on_the_finish_chunk(self) -> None:
        answered = chat({"messages": QUESTION, "stream": True})

        told = events(answered)
        assert answered.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert [first_choice(event)["delta"] for event in told] == [
            {"role": "assistant", "content": ""},
            {"content": "Le passeport "},
            {"content": "coûte 86 €."},
            {},
        ]
        assert [first_choice(event)["finish_reason"] for event in told] == [
            None,
            None,
            None,
            "stop",
        ]
        assert told[-1]["rag_context"] == [{"strategy": "last", "references": [PASSPORT.id]}]
        assert told[-1]["mode"] == "extractive"
        assert "sources" not in told[0]

    def test_a_usage_chunk_comes_last_when_asked_for(self) -> None:
        options = {"include_usage": True}
        told = events(chat({"messages": QUESTION, "stream": True, "stream_options": options}))

        assert told[-1]["choices"] == []
        assert told[-1]["usage"] == {
            "prompt_tokens": 5,
            "completion_tokens": 5,
            "total_tokens": 10,
        }
        assert [event["usage"] for event in told[:-1]] == [None] * 4

    def test_an_error_before_the_first_piece_has_its_own_status(self) -> None:
        answerer = ScriptedAnswerer(error=ModelOverloaded())

        answered = chat({"messages": QUESTION, "stream": True}, answerer)

        assert (answered.status, error(answered)["code"]) == (503, "model_overloaded")

    def test_an_error_in_mid_stream_is_an_event_then_done(self) -> None:
        answerer = ScriptedAnswerer(SPEAKING, error=ModelOverloaded("Trop de demandes."))

        *_, last = events(chat({"messages": QUESTION, "stream": True}, answerer))

        assert last["error"] == {
            "message": "Trop de demandes.",
            "type": "server_error",
            "param": None,
            "code": "model_overloaded",
        }
        assert first_choice(last)["delta"] == {}
        assert first_choice(last)["finish_reason"] == "error"

    def test_an_answer_that_says_nothing_is_still_a_stream(self) -> None:
        told = events(chat({"messages": QUESTION, "stream": True}, ScriptedAnswerer()))

        assert [first_choice(event)["finish_reason"] for event in told] == [None, "stop"]
        assert told[-1]["answered"] is False


class TestWhatIsAsked:
    def test_the_question_is_the_last_user_turn_and_history_what_came_before(self) -> None:
        answerer = ScriptedAnswerer()
        messages = [
            {"role": "system", "content": "Sois bref."},
            {"role": "user", "content": "Bonjour"},
            {"role": "assistant", "content": "Bonjour !"},
            {"role": "tool", "content": "42"},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": " Et\r\n"},
                    {"type": "text", "text": "le RSA ? "},
                ],
            },
        ]

        chat({"messages": messages}, answerer)

        [question] = answerer.heard
        assert question.text == "Et\n\nle RSA ?"
        assert question.history == (
            Message("system", "Sois bref."),
            Message("user", "Bonjour"),
            Message("assistant", "Bonjour !"),
        )

    def test_rag_says_how_to_search(self) -> None:
        answerer = ScriptedAnswerer()
        rag = {"strategy": "last", "mode": "simple", "limit": 2, "sources": ["travail-emploi"]}

        chat({"messages": QUESTION, "rag": rag}, answerer)

        [question] = answerer.heard
        assert (question.mode, question.limit) == ("simple", 2)
        assert question.where.sources == {SourceName("travail-emploi")}

    def test_sampling_is_handed_on_and_unknown_fields_are_left_alone(self) -> None:
        answerer = ScriptedAnswerer()
        body = {
            "temperature": 0,
            "max_tokens": 9,
            "top_p": 0.5,
            "stop": "\n",
            "seed": 1,
            "tools": [{"type": "function"}],
            "tool_choice": "none",
            "response_format": {"type": "text"},
        }

        chat({"messages": QUESTION, **body}, answerer)

        expected = Sampling(temperature=0.0, top_p=0.5, max_tokens=9, stop=("\n",))
        assert answerer.heard[0].sampling == expected


def test_a_client_chooses_what_is_checked() -> None:
    everything, some, nothing = ScriptedAnswerer(), ScriptedAnswerer(), ScriptedAnswerer()

    chat({"messages": QUESTION}, everything)
    chat({"messages": QUESTION, "rag": {"postprocessing": ["check_url"]}}, some)
    chat({"messages": QUESTION, "rag": {"postprocessing": []}}, nothing)

    assert everything.heard[0].checks == {"check_url", "check_mail", "check_number"}
    assert some.heard[0].checks == {"check_url"}
    assert nothing.heard[0].checks == frozenset()


@pytest.mark.parametrize("stream", [True, False])
def test_what_the_guard_replaced_travels_as_data(stream: bool) -> None:
    speaking = ScriptedAnswerer(["Voir evil.fr"], model="modele")
    answered = chat(
        {"model": "modele", "messages": QUESTION, "rag": {}, "stream": stream},
        GuardedAnswerer(speaking, AddressGuard(Whitelist)),
    )

    last = events(answered)[-1] if stream else answered.json()
    assert last["findings"] == [{"kind": "url", "found": "evil.fr", "replaced_by": "[URL MASQUÉE]"}]


USER = {"role": "user", "content": "Bonjour"}
REFUSED = [
    (b"{", "invalid_json", None),
    (b"[]", "invalid_type", None),
    ({}, "invalid_type", "messages"),
    ({"messages": []}, "invalid_value", "messages"),
    ({"messages": "Bonjour"}, "invalid_type", "messages"),
    ({"messages": ["Bonjour"]}, "invalid_type", "messages.[0]"),
    ({"messages": [{"role": "king", "content": "x"}]}, "invalid_value", "messages.[0].role"),
    ({"messages": [{"role": "user", "content": 3}]}, "invalid_type", "messages.[0].content"),
    ({"messages": [{"role": "user"}]}, "invalid_type", "messages.[0].content"),
    (
        {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
        "invalid_value",
        "messages.[0].content",
    ),
    ({"messages": [{"role": "assistant", "content": "x"}]}, "invalid_value", "messages"),
    ({"messages": [{"role": "user", "content": " \n"}]}, "question_invalid", None),
    ({"messages": [{"role": "user", "content": "x" * 8001}]}, "question_invalid", None),
    ({"messages": [{"role": "user", "content": "a\x07b"}]}, "question_invalid", None),
    ({"messages": [{"role": "user", "content": "a\x00b"}]}, "question_invalid", None),
    ({"messages": [USER], "model": 3}, "invalid_type", "model"),
    ({"messages": [USER], "stream": "yes"}, "invalid_type", "stream"),
    ({"messages": [USER], "temperature": 2.1}, "invalid_value", "temperature"),
    ({"messages": [USER], "temperature": True}, "invalid_type", "temperature"),
    ({"messages": [USER], "max_tokens": 0}, "invalid_value", "max_tokens"),
    ({"messages": [USER], "max_tokens": 1.5}, "invalid_type", "max_tokens"),
    ({"messages": [USER], "n": 2}, "invalid_value", "n"),
    ({"messages": [USER], "tools": [{}]}, "unsupported_parameter", "tools"),
    ({"messages": [USER], "functions": [{}]}, "unsupported_parameter", "functions"),
    (
        {"messages": [USER], "response_format": {"type": "json_object"}},
        "unsupported_parameter",
        "response_format",
    ),
    ({"messages": [USER], "logprobs": True}, "unsupported_parameter", "logprobs"),
    ({"messages": [USER], "rag": "last"}, "invalid_type", "rag"),
    ({"messages": [USER], "rag": {"strategy": "all"}}, "invalid_value", "rag.strategy"),
    ({"messages": [USER], "rag": {"limit": 0}}, "invalid_value", "rag.limit"),
    ({"messages": [USER], "rag": {"sources": ["presse"]}}, "invalid_value", "rag.sources"),
    ({"messages": [USER], "rag": {"sources": ["experiences"]}}, "invalid_value", "rag.sources"),
    (
        {"messages": [USER], "rag": {"postprocessing": ["check_all"]}},
        "invalid_value",
        "rag.postprocessing",
    ),
    ({"messages": [USER], "rag": {"postprocessing": 1}}, "invalid_type", "rag.postprocessing"),
]


@pytest.mark.parametrize(("body", "code", "param"), REFUSED)
def test_a_body_of_the_wrong_form_is_refused_by_name(
    body: object, code: str, param: str | None
) -> None:
    answerer = ScriptedAnswerer()

    answered = chat(body, answerer)

    assert answered.status == (422 if code == "invalid_type" else 400)
    assert (error(answered)["code"], error(answered)["param"]) == (code, param)
    assert not answerer.heard


def test_a_question_of_8000_characters_passes() -> None:
    assert chat({"messages": [{"role": "user", "content": "x" * 8000}]}).status == 200


def test_a_question_that_overflows_the_window_is_too_large() -> None:
    answered = chat({"messages": [USER]}, ScriptedAnswerer(error=PromptTooLong()))

    assert (answered.status, error(answered)["code"]) == (413, "context_length_exceeded")


def test_an_unknown_model_is_answered_with_the_known_ones() -> None:
    answered = chat({"model": "gpt-9", "messages": [USER]})

    assert (answered.status, error(answered)["code"]) == (404, "model_not_found")
    assert EXTRACTIVE in str(error(answered)["message"])


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    "answerer", [ScriptedAnswerer(["Oui."]), ScriptedAnswerer(error=ModelOverloaded())]
)
def test_nobodys_question_is_logged(
    stream: bool, answerer: ScriptedAnswerer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")

    chat({"messages": [{"role": "user", "content": "mon divorce"}], "stream": stream}, answerer)

    assert answerer.heard
    assert "divorce" not in caplog.text
