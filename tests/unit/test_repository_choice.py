"""Which files of a repository serve a model."""

import pytest

from albert.domain.errors import ModelUnavailable
from albert.serving.downloads.listing import Choice, Form, Listing, Remote, choose


def chosen(*paths: str, file: str = "", form: Form = "") -> Choice:
    files = tuple(Remote(path, 10, f"{number:040x}") for number, path in enumerate(paths))
    return choose(Listing("a/b", "c" * 40, files), file=file, form=form)


def names(*paths: str, file: str = "", form: Form = "") -> list[str]:
    return sorted(one.path for one in chosen(*paths, file=file, form=form).files)


def test_what_serves_and_nothing_else() -> None:
    serving = [
        "1_Pooling/config.json",
        "chat_template.jinja",
        "config.json",
        "merges.txt",
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
        "model.safetensors.index.json",
        "prompt_config.yml",
        "prompts/rag.jinja2",
        "tokenizer.model",
    ]
    others = [
        ".gitattributes",
        "README.md",
        "albert-manifest.json",
        "consolidated.safetensors",
        "modeling.py",
        "onnx/config.json",
        "onnx/model.safetensors",
        "original/params.json",
        "pytorch_model.bin",
        "pytorch_model.bin.index.json",
        "tf_model.h5",
        "training_args.bin",
    ]
    assert names(*serving, *others) == serving


def test_mistral_s_own_copy_serves_where_there_is_no_other() -> None:
    assert names("consolidated.safetensors", "params.json") == [
        "consolidated.safetensors",
        "params.json",
    ]


def test_an_engine_that_reads_gguf_is_given_gguf() -> None:
    both = ("m.safetensors", "m.gguf")
    assert names(*both) == ["m.safetensors"]
    assert names(*both, form="gguf") == ["m.gguf"]
    with pytest.raises(ModelUnavailable, match="n'a pas de poids GGUF"):
        chosen("m.safetensors", "pytorch_model.bin", form="gguf")


def test_a_model_cut_in_parts_is_one() -> None:
    parts = [f"q4-0000{part}-of-00002.gguf" for part in (1, 2)]
    assert names(*parts, "mmproj-f16.gguf") == parts
    assert names(*parts, "q8.gguf", file=parts[0]) == parts
    with pytest.raises(ModelUnavailable, match=r"\(q4-00001-of-00002.gguf, q8.gguf\)"):
        chosen(*parts, "q8.gguf")


def test_only_the_names_that_promise_nothing_are_judged_before() -> None:
    assert chosen("pytorch_model.bin", "training_args.bin").doubtful
    assert chosen("anything", file="anything").doubtful
    assert not chosen("m.safetensors").doubtful


def test_without_weights_there_is_no_model() -> None:
    with pytest.raises(ModelUnavailable, match="n'a pas de poids safetensors ou GGUF"):
        chosen("config.json", "README.md")
    with pytest.raises(ModelUnavailable, match="Ses poids : aucun"):
        chosen("config.json", file="q4.gguf")
