"""An environment by its name: what its file may say, and may not."""

from pathlib import Path

import pytest

from albert.deploy.environments import environment_of
from albert.domain.errors import EnvironmentInvalid


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "any.env"
    path.write_text(text)
    return path


@pytest.mark.parametrize("text", ["", "ENV=\n", "ENV=main\n"])
def test_an_environment_bears_its_name_whatever_its_file_leaves_out(
    tmp_path: Path, text: str
) -> None:
    """Else an empty ENV would be « dev », where weak secrets are allowed."""
    assert environment_of("main", written(tmp_path, text)) == {"ENV": "main"}


def test_a_file_of_another_environment_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentInvalid, match="ENV=staging, non main"):
        environment_of("main", written(tmp_path, "ENV=staging\n"))


@pytest.mark.parametrize("name", ["", "Main", "../main", "-main", "a b"])
def test_a_name_that_could_be_a_path_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(EnvironmentInvalid, match="ne peut nommer"):
        environment_of(name, written(tmp_path, ""))
