"""LlamaIndex against a service that runs: prints what each call gave, as one JSON object.

``python with_llama_index.py ADDRESS MODEL EMBEDDER``, the key in ALBERT_KEY.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any, Literal

from llama_index.core import Document, VectorStoreIndex
from llama_index.core.llms import ChatMessage
from llama_index.embeddings.openai_like import OpenAILikeEmbedding
from llama_index.llms.openai_like import OpenAILike
from pydantic import BaseModel

ADDRESS, MODEL, EMBEDDER = sys.argv[1:]
TO = {"api_base": f"{ADDRESS}/v1", "api_key": os.environ["ALBERT_KEY"], "max_retries": 0}
SHEETS = "albert-extractif"
QUESTION = "Comment remplacer un passeport abîmé ?"


class Animal(BaseModel):
    """An animal: whatever the model draws, few tokens tell it."""

    kind: Literal["dog", "cat", "hen"]
    legs: Literal[2, 4]


def speaker(model: str = MODEL, *, is_chat_model: bool = True, **more: bool) -> OpenAILike:
    return OpenAILike(
        model=model,
        is_chat_model=is_chat_model,
        context_window=4096,
        max_tokens=64,
        temperature=0,
        **TO,
        **more,
    )


def vectors() -> OpenAILikeEmbedding:
    return OpenAILikeEmbedding(model_name=EMBEDDER, embed_batch_size=8, **TO)


def chat() -> str:
    return str(speaker().chat([ChatMessage(role="user", content="Say hello.")]).message.content)


def chat_streamed() -> dict[str, Any]:
    pieces = [one.delta or "" for one in speaker().stream_chat([ChatMessage(content="Say hello.")])]
    return {"pieces": len(pieces), "text": "".join(pieces)}


def completion() -> str:
    return str(speaker(is_chat_model=False).complete("The capital of France is"))


def completion_streamed() -> str:
    told = speaker(is_chat_model=False).stream_complete("The capital of France is")
    return "".join(one.delta or "" for one in told)


def structured() -> dict[str, Any]:
    model = speaker(should_use_structured_outputs=True)
    said = model.as_structured_llm(Animal).complete("A dog.").raw
    return {"kind": said.kind, "legs": said.legs}


def sheets() -> str:
    return str(speaker(SHEETS).chat([ChatMessage(content=QUESTION)]).message.content)


def embeddings() -> list[int]:
    told = vectors().get_text_embedding_batch(["a", "b"])
    return [len(one) for one in (*told, vectors().get_query_embedding("c"))]


def a_search_of_its_own() -> str:
    """An index of LlamaIndex's own over our vectors."""
    texts = ["Un passeport coûte 86 €.", "Le seau est rouge.", "La pelle est bleue."]
    index = VectorStoreIndex.from_documents(
        [Document(text=text) for text in texts], embed_model=vectors()
    )
    [found] = index.as_retriever(similarity_top_k=1).retrieve("De quelle couleur est la pelle ?")
    return str(found.text)


CALLS: tuple[Callable[[], object], ...] = (
    *(chat, chat_streamed, completion, completion_streamed, structured),
    *(sheets, embeddings, a_search_of_its_own),
)

if __name__ == "__main__":
    json.dump({call.__name__: call() for call in CALLS}, sys.stdout)
