"""What asking an Albert service may raise.

* AlbertError
  x ClientError              base of all that this package raises on purpose
    + ServiceUnreachable     no answer came: address, network, time-out
      - AnswerCut            an answer broke off and could not be resumed; has its ``text``
    + ReplyInvalid           what came is not what the contract says
    + AnswerFailed           the service gave up in mid-answer; has its ``text`` and a ``code``
    + ApiError               the service refused: ``status``, ``code``, ``message``, ``request_id``
      - RequestRefused       400, 422 and other 4xx: the request is not acceptable
      - TokenRefused         401: no token, or a dead one
      - Forbidden            403: not yours, for admins only, or account not confirmed
      - NotFound             404
      - TooLong              413: the question, or the body
      - TooManyAttempts      429: wait ``seconds``
      - ServiceFailed        5xx, and redirections, which are never followed

None of them holds a token, nor what was sent.
"""

from __future__ import annotations

from albert.domain.errors import AlbertError

CLOSED = "Ce client est fermé : ouvrez-en un autre."


class ClientError(AlbertError):
    """Le service n'a pas pu être interrogé."""


class ServiceUnreachable(ClientError):
    """Le service ne répond pas : vérifiez son adresse, et qu'il tourne."""


class AnswerCut(ServiceUnreachable):
    """La réponse s'est interrompue : relisez-la plus tard par son numéro.

    Reading on tries again from where it stopped.
    """

    def __init__(self, message: str, text: str) -> None:
        super().__init__(message)
        self.text = text
        """What was received of the answer."""


class ReplyInvalid(ClientError):
    """Le service a répondu autre chose que prévu : vérifiez l'adresse et sa version."""


class AnswerFailed(ClientError):
    """Le service n'a pas pu finir sa réponse."""

    def __init__(self, message: str, *, code: str | None, text: str) -> None:
        super().__init__(message or None)
        self.code = code
        self.text = text
        """What was received of the answer."""


class ApiError(ClientError):
    """Le service a refusé la demande."""

    def __init__(
        self, status: int, code: str | None, message: str, request_id: str, seconds: float = 0
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        """The service's own name of the error, as in its documentation; ``None`` from a proxy."""
        self.message = message
        self.request_id = request_id
        """Names the request in the service's log; empty where it gave none."""
        self.seconds = seconds
        """To wait before asking again, where the service says so."""


class RequestRefused(ApiError):
    """La demande n'est pas recevable."""


class TokenRefused(ApiError):
    """Le jeton manque ou n'est plus valable."""


class Forbidden(ApiError):
    """Ce compte n'a pas le droit de faire cela."""


class NotFound(ApiError):
    """Cet objet n'existe pas."""


class TooLong(ApiError):
    """La demande est trop longue."""


class TooManyAttempts(ApiError):
    """Trop d'essais : attendez avant de recommencer."""


class ServiceFailed(ApiError):
    """Le service a échoué."""


BY_STATUS: dict[int, type[ApiError]] = {
    401: TokenRefused,
    403: Forbidden,
    404: NotFound,
    413: TooLong,
    429: TooManyAttempts,
}


def kind_of(status: int) -> type[ApiError]:
    return BY_STATUS.get(status) or (RequestRefused if 400 <= status < 500 else ServiceFailed)
