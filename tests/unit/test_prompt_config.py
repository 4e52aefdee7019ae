"""A model's prompt_config.yml: what it says, to whom, and what is refused of it."""

import json
from pathlib import Path

import pytest

from albert.domain.conversation import Circumstances, Message, Sampling
from albert.domain.errors import PromptConfigInvalid, RequestError
from albert.prompt.config import PromptConfig, built_in, read_config, read_inlined
from albert.prompt.templated import TemplatePrompter

WHOLE = """
temperature: 0.3
max_tokens: 400
top_p: 0.9
top_k: 40
min_p: 0.05
presence_penalty: 0.1
frequency_penalty: 0.2
repetition_penalty: 1.1
length_penalty: 1
stop_token_ids: [2, 32000]
system_prompt: Général
prompt_format: chatml
models:
  - model_kind: albert
    temperature: 0.1
  - model_kind: albert-large
    temperature: 0.7
    system_prompt: Grand
    prompt_format: llama3-chat
prompts:
  - mode: rag
    template: rag.jinja
    temperature: 0.5
    system_prompt: Du mode
    default: {limit: 4, institution: CAF}
  - mode: bref
    template: bref.jinja
    max_tokens: 50
"""


def folder(path: Path, config: str = WHOLE, *, name: str = "prompt_config.yml") -> Path:
    (path / name).write_text(config, "utf-8")
    (path / "rag.jinja").write_text("{{ sheet_chunks | length }} {{ institution }} {{ query }}")
    (path / "bref.jinja").write_text("En bref : {{ query }}")
    return path


def read(path: Path, config: str = WHOLE) -> PromptConfig:
    found = read_config(folder(path, config))
    assert found is not None
    return found


# model, mode → temperature, system: kind, then mode, then top level, then the built-in mode
@pytest.mark.parametrize(
    ("model", "mode", "temperature", "system"),
    [
        ("autre", "rag", 0.5, "Du mode"),
        ("autre", "bref", 0.3, "Général"),
        ("albert-light", "rag", 0.1, "Du mode"),
        ("albert-light", "bref", 0.1, "Général"),
        ("albert-large-v2", "rag", 0.7, "Grand"),
        ("un-albert", "rag", 0.5, "Du mode"),
        ("autre", "simple", 0.3, "Général"),
    ],
)
def test_the_kind_speaks_before_the_mode_and_the_mode_before_the_top(
    tmp_path: Path, model: str, mode: str, temperature: float, system: str
) -> None:
    found = read(tmp_path).modes(model)[mode]
    assert (found.sampling.temperature, found.system) == (temperature, system)


def test_every_choice_of_sampling_is_read(tmp_path: Path) -> None:
    assert read(tmp_path).sampling("autre") == Sampling(
        temperature=0.3,
        max_tokens=400,
        top_p=0.9,
        top_k=40,
        min_p=0.05,
        presence_penalty=0.1,
        frequency_penalty=0.2,
        repetition_penalty=1.1,
        length_penalty=1.0,
        stop_token_ids=(2, 32000),
    )


@pytest.mark.parametrize(
    ("model", "shape"),
    [("autre", "chatml"), ("albert-light", "chatml"), ("albert-large", "llama3-chat")],
)
def test_the_format_is_the_kind_s_else_the_file_s(tmp_path: Path, model: str, shape: str) -> None:
    assert read(tmp_path).prompt_format(model) == shape


@pytest.mark.parametrize("said", ["null", "openai"])
def test_without_a_raw_format_messages_go_as_they_are(tmp_path: Path, said: str) -> None:
    assert read(tmp_path, f"prompt_format: {said}").prompt_format("m") is None


def test_a_mode_says_how_many_passages_and_what_is_known_around(tmp_path: Path) -> None:
    prompter = TemplatePrompter(lambda: read(tmp_path).modes("m"))
    assert prompter.plan("rag").limit == 4
    assert prompter.plan("bref").limit is None
    for said, shown in ((Circumstances(), "CAF"), (Circumstances(institution="MSA"), "MSA")):
        prompt = prompter.prompt("Q ?", circumstances=said, window=999, count=len)
        assert prompt.messages[-1].content == f"0 {shown} Q ?"


def test_a_mode_reads_passages_only_where_its_template_shows_them(tmp_path: Path) -> None:
    prompter = TemplatePrompter(lambda: read(tmp_path).modes("m"))
    plans = {mode: prompter.plan(mode).quotes for mode in ("rag", "bref", "simple")}
    assert plans == {"rag": True, "bref": False, "simple": False}


def test_the_built_in_modes_stay_beneath(tmp_path: Path) -> None:
    own = read(tmp_path, "prompts: [{mode: bref, template: bref.jinja}]").modes("m")
    assert sorted(own) == ["bref", "rag", "simple"]
    assert own["rag"].template.source == built_in().modes("m")["rag"].template.source


def test_a_built_in_mode_may_be_tuned_without_a_template(tmp_path: Path) -> None:
    tuned = read(tmp_path, "prompts: [{mode: rag, default: {limit: 9}}]").modes("m")["rag"]
    own = built_in().modes("m")["rag"]
    assert (tuned.limit, tuned.template.source, tuned.system) == (
        9,
        own.template.source,
        own.system,
    )


def test_a_mode_without_system_prompt_sends_the_question_alone(tmp_path: Path) -> None:
    found = read(tmp_path, "prompts: [{mode: bref, template: bref.jinja}]")
    prompt = TemplatePrompter(lambda: found.modes("m")).prompt(
        "Q ?", mode="bref", window=99, count=len
    )
    assert prompt.messages == (Message("user", "En bref : Q ?"),)


def test_an_unknown_mode_is_refused_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="bref, rag, simple"):
        TemplatePrompter(lambda: read(tmp_path).modes("m")).plan("poème")


def test_a_folder_without_configuration_has_none(tmp_path: Path) -> None:
    assert read_config(tmp_path) is None


def test_the_other_ending_is_read_too(tmp_path: Path) -> None:
    found = read_config(folder(tmp_path, "temperature: 1", name="prompt_config.yaml"))
    assert found is not None
    assert found.sampling("m") == Sampling(temperature=1.0)


def test_both_endings_are_one_too_many(tmp_path: Path) -> None:
    folder(tmp_path, name="prompt_config.yaml")
    with pytest.raises(PromptConfigInvalid, match="gardez l'un des deux"):
        read_config(folder(tmp_path))


def test_what_is_told_of_it_is_the_file_with_its_templates_inlined(tmp_path: Path) -> None:
    told = json.loads(read(tmp_path).encoded())
    assert told["prompts"][1] == {
        "mode": "bref",
        "template": "En bref : {{ query }}",
        "max_tokens": 50,
    }
    assert (told["prompt_format"], told["stop_token_ids"]) == ("chatml", [2, 32000])


def test_what_is_told_of_it_can_be_read_again(tmp_path: Path) -> None:
    first = read(tmp_path)
    again = read_inlined(first.encoded(), "le service")
    assert again.entry == first.entry


def test_an_empty_file_says_nothing(tmp_path: Path) -> None:
    assert sorted(read(tmp_path, "# rien\n").modes("m")) == ["rag", "simple"]


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ("temprature: 1", "temprature : cette clé n'existe pas : vouliez-vous dire temperature ?"),
        ("prompts: [{mode: a, templat: x}]", "prompts.1.templat : cette clé n'existe pas"),
        ("prompts: [{mode: rag, default: {limits: 3}}]", "vouliez-vous dire limit ?"),
        ("models: [{kind: a}]", "models.1.model_kind : il faut cette clé."),
        ("temperature: chaud", "temperature : il faut un nombre."),
        ("temperature: 3", "temperature : il faut au plus 2.0."),
        ("max_tokens: 1.5", "max_tokens : il faut un nombre entier."),
        ("max_tokens: true", "max_tokens : il faut un nombre entier."),
        ("stop_token_ids: 2", "stop_token_ids : il faut une liste."),
        ("prompt_format: mistral", "prompt_format : il faut 'openai', 'llama-chat'"),
        ("top_p: .inf", "top_p : il faut"),
        ("prompts: [{mode: bref}]", "mode « bref » : il faut un template"),
        ("prompts: [{mode: rag}, {mode: rag}]", "mode « rag » est là deux fois"),
        ("- 1", "il faut des clés"),
        ("a: [1", "ligne 1, ce n'est pas du YAML simple"),
        ("a: 1\na: 2", "ligne 2, la clé « a » y est deux fois"),
        ("a: &x [1]\nb: *x", "ligne 2, les renvois"),
        ("a: !!python/object:os.system {}", "ce n'est pas du YAML simple"),
        ("a: " + "[" * 500 + "]" * 500, "s'emboîtent trop"),
        ("a: " + "9" * 5000, "ce n'est pas du YAML simple"),
        ("a: " + "x" * 70_000, "plus de 65536 caractères"),
        ("prompts: [{mode: a, template: none.jinja}]", "ce fichier n'existe pas"),
        ("prompts: [{mode: a, template: bad.jinja}]", "la variable « querry » n'existe pas"),
        ("prompts: [{mode: a, template: ../secret}]", "donnez un fichier de ce dossier"),
        ("prompts: [{mode: a, template: /etc/passwd}]", "donnez un fichier de ce dossier"),
        ("prompts: [{mode: a, template: 'x\\..\\secret'}]", "donnez un fichier de ce dossier"),
        ("prompts: [{mode: a, template: link.jinja}]", "ce lien sort du dossier"),
        ("prompts: [{mode: a, template: latin.jinja}]", "ce n'est pas de l'UTF-8"),
    ],
)
def test_a_mistake_is_told_with_its_file_and_its_key(
    tmp_path: Path, config: str, reason: str
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("contenu privé", "utf-8")
    own = tmp_path / "model"
    own.mkdir()
    (own / "bad.jinja").write_text("{{ querry }}")
    (own / "link.jinja").symlink_to(secret)
    (own / "latin.jinja").write_bytes("é".encode("latin-1"))
    with pytest.raises(PromptConfigInvalid) as raised:
        read_config(folder(own, config))
    told = str(raised.value)
    assert told.startswith(f"« {own / 'prompt_config.yml'} »")
    assert reason in told
    assert "contenu privé" not in told


def test_every_mistake_has_its_line(tmp_path: Path) -> None:
    with pytest.raises(PromptConfigInvalid) as raised:
        read(tmp_path, "temperature: 9\ntop_p: 9\n")
    assert len(str(raised.value).splitlines()) == 2


def test_the_hub_s_cache_has_links_to_its_blobs(tmp_path: Path) -> None:
    blobs, snapshot = tmp_path / "blobs", tmp_path / "snapshots" / "abc"
    blobs.mkdir()
    snapshot.mkdir(parents=True)
    (blobs / "1").write_text("prompts: [{mode: a, template: a.jinja}]")
    (blobs / "2").write_text("{{ query }} !")
    (snapshot / "prompt_config.yml").symlink_to("../../blobs/1")
    (snapshot / "a.jinja").symlink_to("../../blobs/2")
    found = read_config(snapshot)
    assert found is not None
    assert found.modes("m")["a"].template.source == "{{ query }} !"


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"prompts": [{"mode": "a"}]}'])
def test_a_service_that_gives_anything_else_is_not_believed(body: bytes) -> None:
    with pytest.raises(PromptConfigInvalid, match="le service"):
        read_inlined(body, "le service")
