"""The service's key belongs to its owner alone."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from albert.api.keys import KEY_FILE, digest_of, ensure_key, opens
from albert.domain.errors import HomeError


def test_the_key_is_made_once_and_kept(tmp_path: Path) -> None:
    made, created = ensure_key(tmp_path / "secrets")
    kept, again = ensure_key(tmp_path / "secrets")

    assert (created, again) == (True, False)
    assert made == kept
    assert made.startswith("albert-")
    assert len(made) == len("albert-") + 43  # 32 bytes in base 64


def test_the_file_and_its_folder_are_closed_to_others(tmp_path: Path) -> None:
    ensure_key(tmp_path / "secrets")

    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "secrets" / KEY_FILE).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (tmp_path / "secrets").iterdir()] == [KEY_FILE]


def test_a_key_that_others_can_read_is_refused_with_the_command_that_closes_it(
    tmp_path: Path,
) -> None:
    ensure_key(tmp_path)
    path = tmp_path / KEY_FILE
    path.chmod(0o640)

    with pytest.raises(HomeError, match=f"chmod 600 {path}"):
        ensure_key(tmp_path)


def test_a_folder_where_others_could_replace_the_key_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)

    with pytest.raises(HomeError, match=f"chmod 700 {tmp_path}"):
        ensure_key(tmp_path)


def test_a_file_that_is_not_a_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / KEY_FILE
    path.write_text("secret\n")
    path.chmod(0o600)

    with pytest.raises(HomeError, match="supprimez-le"):
        ensure_key(tmp_path)


def test_starters_at_the_same_moment_agree_on_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        results = list(pool.map(lambda _: ensure_key(tmp_path), range(16)))

    assert len({key for key, _ in results}) == 1
    assert [created for _, created in results].count(True) == 1


def test_only_the_key_itself_opens() -> None:
    digest = digest_of("albert-a")

    assert opens("albert-a", digest)
    assert not opens("albert-b", digest)
    assert not opens("é", digest)
