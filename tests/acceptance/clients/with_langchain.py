"""LangChain against a service that runs: prints what each call gave, as one JSON object.

``python with_langchain.py ADDRESS MODEL EMBEDDER``, the key in ALBERT_KEY.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from importlib import util
from pathlib import Path
from typing import Any, Literal

import openai
from langchain_core.messages import HumanMessage, SystemMessage
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel

ADDRESS, MODEL, EMBEDDER = sys.argv[1:]
TO = {"base_url": f"{ADDRESS}/v1", "api_key": os.environ["ALBERT_KEY"], "max_retries": 0}
SHEETS = "albert-extractif"
QUESTION = "Comment remplacer un passeport abîmé ?"


class Animal(BaseModel):
    """An animal: whatever the model draws, few tokens tell it."""

    kind: Literal["dog", "cat", "hen"]
    legs: Literal[2, 4]


def get_weather(city: str) -> str:
    """Give the weather of a city."""
    return f"beau à {city}"


def chat(model: str = MODEL, **more: bool) -> ChatOpenAI:
    return ChatOpenAI(model=model, max_tokens=64, temperature=0, **TO, **more)


def vectors(**more: bool) -> OpenAIEmbeddings:
    return OpenAIEmbeddings(model=EMBEDDER, **TO, **more)


def refused(act: Callable[[], object]) -> str:
    try:
        act()
    except openai.APIStatusError as error:
        return f"{error.status_code} {error.message}"
    raise AssertionError("this should have been refused")


def invoke() -> dict[str, Any]:
    said = chat().invoke([SystemMessage("Be brief."), HumanMessage("Say hello.")])
    return {"text": said.content, "usage": said.usage_metadata}


def stream() -> dict[str, Any]:
    pieces = list(chat(stream_usage=True).stream("Say hello."))
    whole = pieces[0]
    for piece in pieces[1:]:
        whole += piece
    return {"pieces": len(pieces), "text": whole.content, "usage": whole.usage_metadata}


def structured() -> dict[str, Any]:
    said = chat().with_structured_output(Animal, method="json_schema").invoke("A dog.")
    return {"kind": said.kind, "legs": said.legs}


def tools_need_a_template() -> str:
    """The smallest model has none for tools: its engine would pass them over in silence."""
    return refused(lambda: chat().bind_tools([get_weather]).invoke("Weather in Paris?"))


def responses() -> dict[str, Any]:
    said = chat(use_responses_api=True).invoke("Say hello.")
    return {"text": said.text, "status": said.response_metadata["status"]}


def responses_streamed() -> dict[str, Any]:
    pieces = list(chat(use_responses_api=True).stream("Say hello."))
    return {"text": "".join(piece.text for piece in pieces), "usage": pieces[-1].usage_metadata}


def sheets() -> str:
    return str(chat(SHEETS).invoke(QUESTION).content)


def sheets_by_responses() -> str:
    return str(chat(SHEETS, use_responses_api=True).invoke(QUESTION).text)


def sheets_call_no_tool() -> str:
    return refused(lambda: chat(SHEETS).bind_tools([get_weather]).invoke(QUESTION))


def embeddings() -> list[int]:
    model = vectors(check_embedding_ctx_length=False)
    return [len(one) for one in (*model.embed_documents(["a", "b"]), model.embed_query("c"))]


def embeddings_by_default() -> str:
    """LangChain sends tokens, cut by a vocabulary that LlamaIndex has with it."""
    spec = util.find_spec("llama_index.core")
    assert spec is not None
    assert spec.origin is not None
    os.environ["TIKTOKEN_CACHE_DIR"] = str(Path(spec.origin).parent / "_static" / "tiktoken_cache")
    return refused(lambda: vectors().embed_query("un passeport"))


CALLS: tuple[Callable[[], object], ...] = (
    *(invoke, stream, structured, tools_need_a_template, responses, responses_streamed),
    *(sheets, sheets_by_responses, sheets_call_no_tool, embeddings, embeddings_by_default),
)

if __name__ == "__main__":
    json.dump({call.__name__: call() for call in CALLS}, sys.stdout)
