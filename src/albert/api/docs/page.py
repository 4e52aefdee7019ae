"""The documentation page: our OpenAPI description as plain HTML, nothing fetched elsewhere."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from html import escape
from importlib import resources
from typing import Any

import orjson

Json = dict[str, Any]
_SAME = "/api/v1/"
_FRENCH = {
    "Successful Response": "Réussi",
    "Validation Error": "Corps de forme inattendue",
}
"""What FastAPI says by itself."""


def render(description: Json) -> tuple[str, str]:
    """Return the page, and the Content-Security-Policy that allows its style and nothing more."""
    style = resources.files(__package__ or "").joinpath("page.css").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    info = description["info"]
    body = "\n".join(_sections(description))
    page = f"""<!doctype html>
<html lang="fr">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(info["title"])}, documentation de l'API</title>
<style>{style}</style>
</head>
<body>
<header>
<h1>{escape(info["title"])}</h1>
<p>{escape(info.get("description", ""))}</p>
<p>Version {escape(info["version"])}. Description complète pour les programmes :
<a href="openapi.json">openapi.json</a>. Les adresses en /v1 répondent aussi en /api/v1.</p>
</header>
<main>
{body}
</main>
</body>
</html>
"""
    return page, f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'"


def _sections(description: Json) -> Iterator[str]:
    tags: dict[str, list[str]] = {}
    for path, operations in sorted(description["paths"].items()):
        if path.startswith(_SAME):  # the same routes again
            continue
        for method, operation in operations.items():
            tag = operation.get("tags", ["Autres"])[0]
            tags.setdefault(tag, []).append(_operation(description, method, path, operation))
    for tag, operations in tags.items():
        yield f"<section>\n<h2>{escape(tag)}</h2>\n" + "\n".join(operations) + "\n</section>"
    forms = "\n".join(
        f'<div id="{escape(name)}">{_fields(name, schema)}</div>'
        for name, schema in sorted(description["components"]["schemas"].items())
        if schema.get("properties")
    )
    yield f"<section>\n<h2>Formes</h2>\n{forms}\n</section>"


def _operation(description: Json, method: str, path: str, operation: Json) -> str:
    key = "Avec la clé du service." if operation.get("security") else "Sans clé."
    body = _resolved(description, _json_schema(operation.get("requestBody", {})))
    answer = _resolved(description, _json_schema(operation["responses"].get("200", {})))
    head = (
        f'<summary><span class="method {method}">{method.upper()}</span><code>{escape(path)}</code>'
        f'<span class="what">{escape(operation.get("summary", ""))}</span></summary>'
    )
    parts = [
        "<details>",
        head,
        f"<p>{key}</p>",
        _fields("Ce qu'on envoie", body),
        _example(method, path, body),
        _fields("Ce qu'on reçoit", answer, sent=False),
        f"<h3>Réponses</h3>\n<p>{_statuses(operation)}</p>",
        "</details>",
    ]
    return "\n".join(part for part in parts if part)


def _json_schema(holder: Json) -> Json:
    schema: Json = holder.get("content", {}).get("application/json", {}).get("schema", {})
    return schema


def _resolved(description: Json, schema: Json) -> Json:
    schema = schema.get("items", schema)
    name = schema.get("$ref", "").rpartition("/")[2]
    found: Json = description["components"]["schemas"].get(name, schema)
    return found


def _fields(title: str, schema: Json, *, sent: bool = True) -> str:
    properties: dict[str, Json] = schema.get("properties", {})
    if not properties:
        return ""
    required = schema.get("required", []) if sent else []
    rows = "\n".join(
        f"<tr><td><code>{escape(name)}</code></td><td>{_type(field)}</td>"
        f"<td>{escape(_remark(field, required=name in required))}</td></tr>"
        for name, field in properties.items()
    )
    head = '<tr><th scope="col">Champ</th><th scope="col">Forme</th><th scope="col">Sens</th></tr>'
    lead = schema.get("description", "")
    lead = f"<p>{escape(lead)}</p>\n" if lead else ""
    table = f"<table>\n<thead>{head}</thead>\n<tbody>\n{rows}\n</tbody>\n</table>"
    return f"<h3>{title}</h3>\n{lead}{table}"


def _type(field: Json) -> str:
    """Return, as HTML, what a field is made of."""
    if "$ref" in field:
        name = escape(field["$ref"].rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    for choice in ("anyOf", "oneOf"):
        if choice in field:
            return " ou ".join(_type(each) for each in field[choice] if each.get("type") != "null")
    values = field.get("enum") or ([field["const"]] if "const" in field else [])
    if values:
        return escape(" | ".join(map(str, values)))
    if field.get("type") == "array":
        return f"liste : {_type(field.get('items', {}))}"
    names = {"string": "texte", "integer": "entier", "number": "nombre", "boolean": "booléen"}
    return names.get(field.get("type", ""), "objet")


def _remark(field: Json, *, required: bool) -> str:
    parts = [field.get("description", ""), "obligatoire" if required else ""]
    if field.get("default") not in (None, [], ""):
        parts.append(f"par défaut {orjson.dumps(field['default']).decode()}")
    return " ; ".join(part for part in parts if part)


def _example(method: str, path: str, body: Json) -> str:
    if "example" not in body:
        return ""
    sent = orjson.dumps(body["example"]).decode().replace("'", "'\\''")
    command = (
        f'curl -X {method.upper()} "$ADRESSE{path}" \\\n'
        f'  -H "Authorization: Bearer $CLE" -H "Content-Type: application/json" \\\n  -d \'{sent}\''
    )
    return f"<h3>Exemple</h3>\n<pre>{escape(command)}</pre>"


def _statuses(operation: Json) -> str:
    meanings: dict[str, list[str]] = {}
    for status, answer in operation["responses"].items():
        meanings.setdefault(_FRENCH.get(answer["description"], answer["description"]), []).append(
            status
        )
    return " ; ".join(
        f"<strong>{escape(', '.join(statuses))}</strong> {escape(meaning)}"
        for meaning, statuses in meanings.items()
    )
