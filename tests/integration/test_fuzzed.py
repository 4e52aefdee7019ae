"""Every route of the description, asked whatever Schemathesis makes up, right or wrong.

Real HTTP, a real PostgreSQL. Draws are the same at each run; a longer look is
``FUZZ_EXAMPLES=500 pytest tests/integration/test_fuzzed.py``.
"""

import asyncio
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests
import schemathesis
from http_served import served
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.transport import Response
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from albert.api.app import create_app
from albert.api.database.engine import Database
from albert.assistant.contract import EXTRACTIVE
from albert.testing.services import KEY, enrol, scripted, with_database

pytestmark = pytest.mark.integration

Asked = Case[Any]
Operation = APIOperation[Any, Any, Any, Any]

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "40"))
CHECKS: list[Any] = [  # the library gives checks no name for their type
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
ENDS_ITS_TOKEN = ("DELETE /api/v2/user/me", "POST /api/v2/sign_out")
"""Asked with a token made for each call: with another, what follows would only hear 401."""

DESCRIPTION = create_app(scripted()).web.openapi()
SCHEMA = schemathesis.openapi.from_dict(DESCRIPTION)
SCHEMA.config.generation.update(with_security_parameters=False)
OPERATIONS = [
    f"{method.upper()} {path}"
    for path, operations in DESCRIPTION["paths"].items()
    for method in operations
]
every_operation = pytest.mark.parametrize("name", OPERATIONS)
bounded = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)


@dataclass(frozen=True)
class Service:
    address: str
    uri: str
    session: requests.Session

    def account(self) -> tuple[str, dict[str, int]]:
        """Return the token of a new administrator, and the ids of what it owns."""
        token = asyncio.run(_enrolled(self.uri))
        chat = self._made(token, "/chat", {"chat_type": "qa"})
        asked = {"model_name": EXTRACTIVE, "query": "Combien coûte un passeport ?"}
        stream = self._made(token, f"/stream/chat/{chat}", asked)
        opinion = {"type": "chat", "is_good": True}
        feedback = self._made(token, f"/feedback/add/{stream}", opinion)
        return token, {"chat_id": chat, "stream_id": stream, "feedback_id": feedback}

    def _made(self, token: str, path: str, body: dict[str, Any]) -> int:
        url, bearer = f"{self.address}/api/v2{path}", {"authorization": f"Bearer {token}"}
        answer = self.session.post(url, json=body, headers=bearer, timeout=10)
        assert answer.status_code == 200, answer.text
        return int(answer.json()["id"])

    def call(self, case: Asked, token: str | None) -> Response:
        bearer = {} if token is None else {"authorization": f"Bearer {token}"}
        return case.call(base_url=self.address, session=self.session, headers=bearer, timeout=20)


async def _enrolled(uri: str) -> str:
    database = Database(uri)
    try:
        return await enrol(database, f"agent-{os.urandom(8).hex()}", admin=True)
    finally:
        await database.engine.dispose()


@pytest.fixture(scope="module")
def service(module_database_uri: str) -> Iterator[Service]:
    app = create_app(with_database(scripted(), module_database_uri))
    with served(app) as address, requests.Session() as session:
        yield Service(address, module_database_uri, session)


@pytest.fixture(scope="module")
def without_database() -> Iterator[Service]:
    """The service while its database does not answer; ``KEY`` opens it all the same."""
    with served(create_app(scripted())) as address, requests.Session() as session:
        yield Service(address, "", session)


def operation(name: str) -> Operation:
    method, path = name.split(" ")
    return SCHEMA[path][method]


def cases(name: str) -> st.SearchStrategy[Asked]:
    """Right and wrong requests in turn."""
    asked = operation(name)
    return st.one_of(*(_cases(asked, mode) for mode in GenerationMode))


def _cases(asked: Operation, mode: GenerationMode) -> st.SearchStrategy[Asked]:
    return asked.as_strategy(generation_mode=mode)


@every_operation
def test_with_a_token_nothing_undocumented_is_said(service: Service, name: str) -> None:
    token, owned = service.account()

    @bounded
    @given(case=cases(name), own=st.booleans())
    def holds(case: Asked, own: bool) -> None:
        if own:
            case.path_parameters |= {n: owned[n] for n in case.path_parameters if n in owned}
        bearer = service.account()[0] if name in ENDS_ITS_TOKEN else token
        case.validate_response(service.call(case, bearer), checks=CHECKS)

    holds()


@every_operation
def test_without_a_token_nothing_undocumented_is_said(service: Service, name: str) -> None:
    @bounded
    @given(case=cases(name))
    def holds(case: Asked) -> None:
        case.validate_response(service.call(case, None), checks=CHECKS)

    holds()


@every_operation
def test_without_a_database_the_service_says_so_and_never_breaks(
    without_database: Service, name: str
) -> None:
    @settings(bounded, max_examples=3)
    @given(case=cases(name))
    def holds(case: Asked) -> None:
        answer = without_database.call(case, KEY)
        assert answer.status_code != 500
        checks = CHECKS[1:] if answer.status_code == 503 else CHECKS
        case.validate_response(answer, checks=checks)

    holds()
