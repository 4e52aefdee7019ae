"""What a user may meet is documented: settings, errors, verbs; and the pages hold together."""

import re
from pathlib import Path

import pytest
from pydantic import SecretStr

from albert.asgi.problems import ROWS
from albert.cli.main import VERBS
from albert.deploy.variables import DEPLOYMENT, Variable, readers
from albert.domain import errors
from albert.settings import Settings, variable

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "benchmarks").glob("*.md")]
)
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
FENCE = re.compile(r"^```(.*)$", re.MULTILINE)
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
VERB = re.compile(r"(?:`|« |^)albert ([a-z]+)", re.MULTILINE)


def rows(page: str) -> dict[str, list[str]]:
    """Each row of a page's tables whose first cell is a name in backquotes."""
    text = (ROOT / "docs" / page).read_text("utf-8")
    cells = [
        [cell.strip() for cell in line.strip("|").split(" | ")]
        for line in text.splitlines()
        if line.startswith("| ")
    ]
    return {found[1]: row for row in cells if (found := re.match(r"\|? ?\*?`([^`]+)`", row[0]))}


def every_error() -> set[type[errors.AlbertError]]:
    found: set[type[errors.AlbertError]] = set()
    waiting: list[type[errors.AlbertError]] = [errors.AlbertError]
    while waiting:
        kind = waiting.pop()
        found.add(kind)
        waiting += kind.__subclasses__()
    return {kind for kind in found if kind.__module__ == errors.__name__}


VARIABLES = "deploiement/environments.md"


def test_the_page_of_variables_has_each_of_them_and_no_other() -> None:
    assert set(rows(VARIABLES)) == {
        *(variable(name) for name in Settings.model_fields),
        *(one.name for one in DEPLOYMENT),
    }


@pytest.mark.parametrize("name", Settings.model_fields)
def test_a_setting_is_documented_with_its_default(name: str) -> None:
    field, row = Settings.model_fields[name], rows(VARIABLES)[variable(name)]
    default = field.default
    default = str(default.get_secret_value() if isinstance(default, SecretStr) else default)
    assert row[1] == (f"`{default}`" if default else "(vide)")
    assert row[2] == ", ".join(readers(name))
    assert len(row[3]) >= len(field.description or "") // 2


@pytest.mark.parametrize("one", DEPLOYMENT, ids=lambda one: one.name)
def test_a_variable_of_a_deployment_is_documented_with_its_default(one: Variable) -> None:
    row = rows(VARIABLES)[one.name]
    assert row[1] == (f"`{one.default}`" if one.default else "(vide)")
    assert row[2] == ", ".join(one.readers)
    assert row[3].strip(" |")


def test_the_page_of_errors_has_each_of_them_and_no_other() -> None:
    assert set(rows("erreurs.md")) == {kind.__name__ for kind in every_error()}


@pytest.mark.parametrize("kind", sorted(every_error(), key=str))
def test_an_error_is_documented_with_its_status_and_message(kind: type[errors.AlbertError]) -> None:
    _, status, code, message, cause, mending = rows("erreurs.md")[kind.__name__]
    assert (int(status), code) == (ROWS[kind].status, f"`{ROWS[kind].code}`")
    assert kind is errors.AlbertError or message == str(kind())
    assert cause
    assert mending.rstrip(" |")


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_fences_are_closed_and_say_their_language(page: Path) -> None:
    fences = FENCE.findall(page.read_text("utf-8"))
    assert len(fences) % 2 == 0
    assert all(fences[::2])
    assert not any(fences[1::2])


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    targets = [link for link in LINK.findall(page.read_text("utf-8")) if "://" not in link]
    assert not [link for link in targets if not (page.parent / link).exists()]


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_the_verbs_that_a_page_names_exist(page: Path) -> None:
    known = set(VERBS)
    assert set(VERB.findall(page.read_text("utf-8"))) <= known
