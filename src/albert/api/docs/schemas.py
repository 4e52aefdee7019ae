"""The raw routes' bodies, for the description only: the hot path reads its JSON by hand."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class TextPart(BaseModel):
    type: Literal["text"]
    text: str


class ChatMessage(BaseModel):
    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[TextPart] | None


class Rag(BaseModel):
    """Répondre à partir des fiches."""

    strategy: Literal["last"] = "last"
    mode: str = Field("rag", description="Mode de prompt")
    limit: int = Field(5, ge=1, le=50, description="Nombre d'extraits")
    sources: list[str] = Field(
        [], description="Seulement ces sources : service-public, travail-emploi"
    )
    postprocessing: list[Literal["check_url", "check_mail", "check_number"]] = Field(
        ["check_url", "check_mail", "check_number"],
        description="Ce qui est vérifié de ce qu'un modèle écrit",
    )


class StreamOptions(BaseModel):
    include_usage: bool = False


class ChatCompletionRequest(BaseModel):
    """Les champs inconnus passent au modèle tels quels ; l'extraction les ignore."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "model": "albert-extractif",
                "messages": [{"role": "user", "content": "Combien coûte un passeport ?"}],
                "rag": {"strategy": "last", "limit": 5},
            }
        }
    )

    model: str = Field("albert-extractif", description="Un des modèles de /v1/models")
    messages: list[ChatMessage] = Field(description="La question est le dernier message « user »")
    stream: bool = False
    stream_options: StreamOptions | None = None
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, ge=0, le=1)
    max_tokens: int | None = Field(None, ge=1)
    rag: Rag | None = None


class Citation(BaseModel):
    hash: str
    sid: str
    source: str
    title: str
    path: list[str] = Field(description="Titres au-dessus du passage")
    date: str
    url: str
    quote: str = Field(description="Mot pour mot, ou vide")
    publisher: str
    licence: str


class Finding(BaseModel):
    """Une adresse inconnue, et ce qui la remplace."""

    kind: Literal["url", "mail", "number"]
    found: str = Field(description="Écrit par le modèle : une donnée, jamais un lien à montrer")
    replaced_by: str = Field(description="Un masque, ou la page d'une fiche citée")


class RagContext(BaseModel):
    strategy: Literal["last"]
    references: list[str] = Field(description="Identifiants des extraits trouvés")


class AnswerMessage(BaseModel):
    role: Literal["assistant"]
    content: str


class Choice(BaseModel):
    index: int
    message: AnswerMessage
    finish_reason: Literal["stop", "length"]


class Usage(BaseModel):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class ChatCompletion(BaseModel):
    """La réponse d'OpenAI, et d'où elle vient."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[Choice]
    usage: Usage
    rag_context: list[RagContext]
    sources: list[Citation]
    mode: Literal["extractive", "model"]
    answered: bool = Field(description="Faux quand les fiches ne répondent pas")
    findings: list[Finding] = Field(description="Ce que la garde a remplacé")


class TextCompletionRequest(BaseModel):
    """Passe tel quel au moteur d'un modèle de langue ; ni l'extraction ni « rag » n'y vont."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"model": "smollm2", "prompt": "The capital of France is"}}
    )

    model: str | None = Field(None, description="Un modèle de langue de /v1/models")
    prompt: str | list[str]
    stream: bool = False
    max_tokens: int | None = None
    stop: str | list[str] | None = None


class TextChoice(BaseModel):
    index: int
    text: str
    finish_reason: str | None


class TextCompletion(BaseModel):
    id: str
    object: Literal["text_completion"]
    created: int
    model: str
    choices: list[TextChoice]
    usage: Usage | None


class EmbeddingsRequest(BaseModel):
    model_config = ConfigDict(json_schema_extra={"example": {"input": ["carte d'identité"]}})

    model: str | None = None
    input: str | list[str]
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = Field(None, description="Celles du modèle, et pas d'autre nombre")
    doc_type: Literal["query", "passage"] = "passage"


class Embedding(BaseModel):
    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class EmbeddingsUsage(BaseModel):
    prompt_tokens: int
    total_tokens: int


class EmbeddingList(BaseModel):
    object: Literal["list"]
    model: str
    data: list[Embedding]
    usage: EmbeddingsUsage


class TextDocument(BaseModel):
    text: str


class RerankRequest(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={
            "example": {"query": "Perte de passeport", "documents": ["Passeport", "Permis"]}
        }
    )

    model: str | None = None
    query: str
    documents: list[str | TextDocument]
    top_n: int | None = Field(None, description="Nombre de résultats ; vide : tous")
    return_documents: bool = False


class RankedDocument(BaseModel):
    index: int
    relevance_score: float
    document: TextDocument | None = None


class Reranking(BaseModel):
    id: str
    model: str | None = None
    results: list[RankedDocument] = Field(description="Du plus proche au moins proche")


class ModelCard(BaseModel):
    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    type: Literal["text-generation", "text-embeddings-inference", "text-classification"]
    aliases: list[str] = Field(description="Autres noms sous lesquels on l'appelle")


class ModelList(BaseModel):
    object: Literal["list"]
    data: list[ModelCard]


class ErrorDetail(BaseModel):
    message: str
    type: str
    param: str | None
    code: str | None


class OpenAIError(BaseModel):
    error: ErrorDetail


class UsageSpread(BaseModel):
    """En secondes ; nul quand rien n'a été mesuré."""

    p50: float | None
    p95: float | None


class UsageSums(BaseModel):
    requests: int
    errors: int = Field(description="Celles dont le statut est 400 ou plus")
    streams: int
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    cost_euros: float
    latency: UsageSpread
    queued: UsageSpread
    first_token: UsageSpread


class UsageLine(UsageSums):
    day: str | None = None
    model: str | None = None
    user: str | None = None
    operation: str | None = None
    status: str | None = None


class UsageReport(BaseModel):
    model_config = ConfigDict(populate_by_name=True)

    object: Literal["usage.report"]
    since: str = Field(alias="from")
    until: str = Field(alias="to")
    group_by: list[str]
    data: list[UsageLine]
    total: UsageSums
