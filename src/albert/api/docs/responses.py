"""The bodies of the Responses API, for the description only."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from albert.api.docs.schemas import Citation, Finding, Rag, RagContext


class InputPart(BaseModel):
    type: Literal["input_text", "output_text", "input_image", "refusal"]
    text: str | None = None
    image_url: str | None = Field(None, description="L'image même : « data:image/… »")


class InputItem(BaseModel):
    """Un message, l'appel d'une fonction, ou ce qu'elle a donné."""

    type: Literal["message", "function_call", "function_call_output", "reasoning"] = "message"
    role: Literal["user", "assistant", "system", "developer"] | None = None
    content: str | list[InputPart] | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None
    output: str | list[InputPart] | None = None


class FunctionTool(BaseModel):
    type: Literal["function"]
    name: str
    description: str | None = None
    parameters: dict[str, object] | None = None
    strict: bool | None = None


class ResponseRequest(BaseModel):
    """Les champs inconnus passent au modèle. Rien n'est gardé : « previous_response_id »,
    « conversation », « prompt » et « background » sont refusés, « store » est sans effet.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"model": "albert-extractif", "input": "Combien coûte un passeport ?"}
        }
    )

    model: str = Field("albert-extractif", description="Un des modèles de /v1/models")
    input: str | list[InputItem]
    instructions: str | None = None
    stream: bool = False
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, ge=0, le=1)
    max_output_tokens: int | None = Field(None, ge=1)
    tools: list[FunctionTool] | None = Field(None, description="Pour un modèle de langue seul")
    tool_choice: str | dict[str, object] | None = None
    text: dict[str, object] | None = Field(None, description="« format » : text, json_schema…")
    reasoning: dict[str, object] | None = None
    metadata: dict[str, str] | None = Field(None, description="Répété dans la réponse")
    rag: Rag | None = None


class OutputText(BaseModel):
    type: Literal["output_text", "refusal", "reasoning_text"]
    text: str | None = None


class OutputItem(BaseModel):
    id: str
    type: Literal["message", "function_call", "reasoning"]
    status: Literal["in_progress", "completed", "incomplete"]
    content: list[OutputText] | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None


class ResponseUsage(BaseModel):
    input_tokens: int
    output_tokens: int
    total_tokens: int


class Response(BaseModel):
    """La réponse d'OpenAI, et, tirée des fiches, d'où elle vient."""

    id: str
    object: Literal["response"]
    created_at: int
    status: Literal["completed", "incomplete"]
    model: str
    output: list[OutputItem]
    usage: ResponseUsage | None
    store: Literal[False]
    rag_context: list[RagContext] | None = None
    sources: list[Citation] | None = None
    mode: Literal["extractive", "model"] | None = None
    answered: bool | None = Field(None, description="Faux quand les fiches ne répondent pas")
    findings: list[Finding] | None = Field(None, description="Ce que la garde a remplacé")
