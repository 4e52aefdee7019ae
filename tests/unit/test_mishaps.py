"""What the system refused: the sentence names what says the place, a variable or an option."""

from collections.abc import Callable
from pathlib import Path

import pytest

from albert.deploy.compose.folder import put as put_rendered
from albert.deploy.systemd.placing import Change
from albert.deploy.systemd.placing import put as put_unit
from albert.domain.errors import HomeError
from albert.domain.mishaps import mishap

NOWHERE = Path("/proc/nowhere")
"""Root itself makes nothing there."""


def test_a_file_of_the_data_folder_is_told_with_its_variable() -> None:
    told = str(mishap(PermissionError(13, "Permission denied", "/srv/a")))
    assert told.startswith("« /srv/a » est inutilisable (les droits manquent)")
    assert told.endswith("ou changez ALBERT_HOME.")


@pytest.mark.parametrize(
    ("write", "option"),
    [
        (lambda: put_rendered({}, NOWHERE / "build"), "--output"),
        (lambda: put_unit(Change(NOWHERE / "a.env", "créé", "--config")), "--config"),
    ],
)
def test_a_file_that_a_deployment_writes_is_told_with_its_option(
    write: Callable[[], object], option: str
) -> None:
    with pytest.raises(HomeError, match=f"ou changez {option}\\.$"):
        write()
