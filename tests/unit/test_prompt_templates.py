"""Templates that come with a model: what they may do, and what stops them."""

import pytest

from albert.domain.errors import PromptConfigInvalid
from albert.prompt.modes import Variables, is_known
from albert.prompt.quotation import QuotedChunk
from albert.prompt.sandbox import TEXT_LIMIT, bounded

FOUND = (
    QuotedChunk(title="Passeport", text="En mairie.", url="https://a.fr", context=("Où", "Quand")),
    QuotedChunk(title="Permis", text="En ligne."),
)
FULL = Variables(
    query="Où ?",
    search_query="Où ?",
    chunks=FOUND,
    experiences=(QuotedChunk(title="Récit", text="J'ai attendu."),),
    limit=2,
    operators=("CAF", "MSA"),
    context="Guichet",
)


def rendered(source: str) -> str:
    template = bounded(source, "« a.jinja »", is_known)
    return template.render({name: FULL.named(name) for name in template.names})


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{{ query }} {{ search_query }} {{ limit }}", "Où ? Où ? 2"),
        ("{% for c in sheet_chunks %}{{ loop.index }}/{{ loop.length }} {% endfor %}", "1/2 2/2"),
        ("{% for c in chunks_collection %}{{ c.title }},{% endfor %}", "Passeport,Permis,"),
        ("{% for c in sheets_collection if c.url %}{{ c.url }}{% endfor %}", "https://a.fr"),
        ("{% for c in experience_chunks %}{{ c.text }}{% endfor %}", "J'ai attendu."),
        ("{{ most_similar_experience }}", "J'ai attendu."),
        ("{{ chunks | map(attribute='title') | join(' + ') }}", "Passeport + Permis"),
        ("{{ chunks[0].context | join(' > ') }} {{ operators }}", "Où > Quand CAF, MSA"),
        ("{{ chunks[0].introduction }}{{ chunks[0].theme }}|", "|"),
        (
            "{{ chunks | length + limit * 2 }} {{ 7 % 2 }} {{ 'a' ~ 1 }} {{ 'a' + 'b' }}",
            "6 1 a1 ab",
        ),
        ("{% set n = context or 'rien' %}{{ n | upper }}{{ '?' if links }}", "GUICHET"),
        ("{% for i in range(3) %}{{ i }}{% endfor %}", "012"),
        ("{{ '  Un ' .strip() | replace('n', 'ne') }}", "Une"),
        ("{{ query in ['a', 'Où ?'] }}", "True"),
    ],
)
def test_a_template_shows(source: str, text: str) -> None:
    assert rendered(source) == text


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("{{ querry }}", "la variable « querry » n'existe pas"),
        ("{{ foo_collection }}", "la variable « foo_collection » n'existe pas"),
        ("a\nb {% for %}", "ligne 2 : ce n'est pas du jinja"),
        ("{{ query | uper }}", "le filtre « uper » n'existe pas ici : vouliez-vous dire upper ?"),
        ("{{ chunks[0].texte }}", "une valeur n'existe pas"),
        ("{{ chunks }}", "nommez un de ses champs"),
        ("{{ query.__class__ }}", "ce qui commence par « _ » n'est pas permis"),
        ("{{ _budget }}", "le nom « _budget » n'est pas permis"),
        ("{% include 'secret' %}", "« Include » n'est pas permis"),
        ("{% import 'secret' as s %}", "« Import » n'est pas permis"),
        ("{% extends 'secret' %}", "« Extends » n'est pas permis"),
        ("{% macro f() %}{{ f() }}{{ f() }}{% endmacro %}{{ f() }}", "« Macro » n'est pas permis"),
        ("{{ query.format() }}", "cet appel de fonction n'est pas permis"),
        ("{{ 1 / 0 }}", "une expression échoue (ZeroDivisionError)"),
    ],
)
def test_a_mistake_is_told_in_one_sentence(source: str, reason: str) -> None:
    with pytest.raises(PromptConfigInvalid) as raised:
        rendered(source)
    assert str(raised.value).startswith("« a.jinja »")
    assert reason in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "source",
    [
        "{{ 'x' * 1000000000 }}",
        "{{ 2 ** 99 ** 99 }}",
        "{{ '%999999999d' % 1 }}",
        "{{ range(1000000000) | list }}",
        "{% set a = 'xx' %}" + "{% set a = a ~ a %}" * 60 + "{{ a }}",
        "{% set a = 'xx' %}" + "{% set a = a + a %}" * 60 + "{{ a }}",
        "{% set a = 'xx' %}" + "{% set a = a | replace('x', a) %}" * 30 + "{{ a }}",
        "{% set a = 'xx' %}" + "{% set a = [a, a] | join %}" * 60 + "{{ a }}",
        "{% set a = 9 %}" + "{% set a = a * a %}" * 60 + "{{ a }}",
        "{% for i in range(9999) %}{% for j in range(9999) %}{% endfor %}{% endfor %}",
        "{% for i in range(9999) %}" + "x" * 9999 + "{% endfor %}",
        "x" * (TEXT_LIMIT + 1),
        "{% if query %}" * 3000 + "{% endif %}" * 3000,
    ],
)
def test_a_template_takes_neither_all_the_memory_nor_all_the_time(source: str) -> None:
    with pytest.raises(PromptConfigInvalid):
        rendered(source)
