"""What the hub's library raises, in sentences that say what to do; and what is worth a retry."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Event
from typing import TYPE_CHECKING, TypeVar

from albert.domain.errors import ModelUnavailable
from albert.serving.downloads.partial import Stopped

if TYPE_CHECKING:
    from huggingface_hub.errors import HfHubHTTPError

T = TypeVar("T")

LONGEST_PAUSE = 60.0
"""Seconds; a hub that wants more is told of, and tried again by the user."""

_AGAIN = (408, 416, 425, 429, 500, 502, 503, 504)


class Again(Exception):
    """Worth another attempt, ``seconds`` later at least. The text says what the hub does."""

    def __init__(self, reason: str, seconds: float = 0.0) -> None:
        super().__init__(reason)
        self.seconds = seconds


def insist(
    attempt: Callable[[], T],
    *,
    host: str,
    pauses: Sequence[float],
    stop: Event | None = None,
    size: Callable[[], int] = lambda: 0,
) -> T:
    """Call ``attempt`` until it succeeds; as long as ``size`` grows, patience is whole again.

    Raises:
        ModelUnavailable: it failed once more than there are ``pauses``, in seconds.
        Stopped: ``stop`` was set.
    """
    stop = stop or Event()
    best, failed = size(), 0
    while True:
        try:
            return attempt()
        except Again as again:
            if size() > best:
                best, failed = size(), 0
            if failed == len(pauses) or again.seconds > LONGEST_PAUSE:
                raise ModelUnavailable(
                    f"« {host} » {again} : recommencez plus tard, rien de ce qui est déjà venu "
                    "n'est perdu."
                ) from None
            pause, failed = max(pauses[failed], again.seconds), failed + 1
        if stop.wait(pause):
            raise Stopped


@contextmanager
def told(what: str, host: str) -> Iterator[None]:
    """Tell what the library raises of ``what``, a repository or one of its files.

    Raises:
        ModelUnavailable, Again
    """
    import httpx2
    from huggingface_hub import errors

    try:
        yield
    except errors.HfHubHTTPError as error:
        raise _refusal(error, what, host) from None
    except errors.OfflineModeIsEnabled:
        raise offline(what) from None
    except httpx2.HTTPError:
        reason = "est hors d'atteinte ou interrompt le transfert (réseau, HTTPS_PROXY, HF_ENDPOINT)"
        raise Again(reason) from None
    except (httpx2.InvalidURL, ValueError, KeyError, TypeError, AttributeError):
        raise ModelUnavailable(
            f"« {host} » ne parle pas comme un dépôt de modèles : vérifiez HF_ENDPOINT."
        ) from None
    except OSError as error:
        if error.errno is not None:  # the disk's
            raise
        raise Again("interrompt le transfert") from None  # how the library tells a wrong length


def offline(what: str) -> ModelUnavailable:
    """Return what to say when nothing may be asked."""
    return ModelUnavailable(
        f"{what} n'est pas sur le disque, et HF_HUB_OFFLINE interdit de le télécharger : "
        "ôtez ce réglage, ou copiez le dossier du modèle d'une autre machine."
    )


def _refusal(error: HfHubHTTPError, what: str, host: str) -> Exception:
    from huggingface_hub import errors

    status = error.response.status_code
    if status in _AGAIN:
        after = error.response.headers.get("Retry-After", "")
        return Again(f"répond {status}", float(after) if after.isdecimal() else 0.0)
    if isinstance(error, errors.GatedRepoError):
        said = (
            f"{what} n'est ouvert qu'aux comptes que son auteur accepte : demandez-lui l'accès sur "
            f"« {host} », puis donnez votre jeton dans HF_TOKEN."
        )
    elif isinstance(error, errors.RepositoryNotFoundError):
        said = (
            f"{what} n'est pas sur « {host} », ou y est privé : vérifiez le nom, ou donnez dans "
            "HF_TOKEN un jeton qui y a accès."
        )
    elif isinstance(error, (errors.RevisionNotFoundError, errors.RemoteEntryNotFoundError)):
        said = f"« {host} » n'a pas {what} : vérifiez la révision ou le fichier."
    elif status == 401:
        said = f"« {host} » refuse le jeton de HF_TOKEN : donnez-en un autre."
    elif status == 403:
        said = f"« {host} » interdit l'accès à {what} : donnez dans HF_TOKEN un jeton qui l'a."
    else:
        said = f"« {host} » répond {status} pour {what} : recommencez plus tard."
    return ModelUnavailable(said)
