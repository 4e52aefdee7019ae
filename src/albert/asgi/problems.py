"""From an error to its HTTP answer: one table, total (a test walks the tree)."""

from __future__ import annotations

from typing import NamedTuple, TypedDict

from albert.domain import errors
from albert.wire.openai import ErrorBody, error_body

INVALID = "invalid_request_error"
SERVER = "server_error"
LIMITED = "rate_limit_exceeded"


class Detail(TypedDict):
    detail: str
    code: str | None


class Problem(Exception):
    """An answer that is not the one asked for; knows HTTP, so it never leaves the API."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        type_: str = INVALID,
        code: str | None = None,
        param: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.type = type_
        self.code = code
        self.param = param
        self.headers: tuple[tuple[bytes, bytes], ...] = ()

    def body(self) -> ErrorBody:
        """Return OpenAI's form of it."""
        return error_body(self.message, type_=self.type, code=self.code, param=self.param)

    def detail(self) -> Detail:
        """Return the form that Albert's own routes give it."""
        return {"detail": self.message, "code": self.code}


class Row(NamedTuple):
    status: int
    type: str
    code: str


ROWS: dict[type[errors.AlbertError], Row] = {
    errors.AlbertError: Row(500, SERVER, "internal_error"),
    errors.HomeError: Row(500, SERVER, "home_unusable"),
    errors.HomeTooNew: Row(500, SERVER, "home_too_new"),
    errors.HomeBusy: Row(503, SERVER, "home_busy"),
    errors.DiskFull: Row(507, SERVER, "disk_full"),
    errors.CorpusError: Row(500, SERVER, "corpus_error"),
    errors.SourceUnknown: Row(400, INVALID, "source_unknown"),
    errors.SourceUnavailable: Row(503, SERVER, "source_unavailable"),
    errors.DownloadInvalid: Row(502, SERVER, "download_invalid"),
    errors.CorpusMissing: Row(503, SERVER, "corpus_missing"),
    errors.SheetNotFound: Row(404, INVALID, "sheet_not_found"),
    errors.SearchError: Row(500, SERVER, "search_error"),
    errors.IndexNotFound: Row(503, SERVER, "index_not_found"),
    errors.IndexUnavailable: Row(503, SERVER, "index_unavailable"),
    errors.IndexIncompatible: Row(503, SERVER, "index_incompatible"),
    errors.InferenceError: Row(502, SERVER, "inference_error"),
    errors.ModelNotFound: Row(404, INVALID, "model_not_found"),
    errors.ModelFileInvalid: Row(500, SERVER, "model_file_invalid"),
    errors.ModelNotDownloaded: Row(503, SERVER, "model_not_downloaded"),
    errors.ModelUnavailable: Row(503, SERVER, "model_unavailable"),
    errors.ModelOverloaded: Row(503, SERVER, "model_overloaded"),
    errors.ModelUnreachable: Row(502, SERVER, "model_unreachable"),
    errors.ModelDown: Row(503, SERVER, "model_down"),
    errors.ModelTooSlow: Row(504, SERVER, "model_too_slow"),
    errors.RequestError: Row(400, INVALID, "invalid_request"),
    errors.QuestionInvalid: Row(400, INVALID, "question_invalid"),
    errors.PromptTooLong: Row(413, INVALID, "context_length_exceeded"),
    errors.DatasetInvalid: Row(400, INVALID, "dataset_invalid"),
    errors.ModelUnfit: Row(400, INVALID, "model_unfit"),
    errors.ServiceError: Row(500, SERVER, "service_error"),
    errors.PortInUse: Row(500, SERVER, "port_in_use"),
    errors.SettingInvalid: Row(500, SERVER, "setting_invalid"),
    errors.TableInvalid: Row(500, SERVER, "routing_table_invalid"),
    errors.PromptConfigInvalid: Row(500, SERVER, "prompt_config_invalid"),
    errors.DeploymentError: Row(500, SERVER, "deployment_error"),
    errors.EnvironmentInvalid: Row(500, SERVER, "environment_invalid"),
    errors.HostUnreachable: Row(500, SERVER, "host_unreachable"),
    errors.DatabaseError: Row(500, SERVER, "database_error"),
    errors.DatabaseUnavailable: Row(503, SERVER, "database_unavailable"),
    errors.BackupInvalid: Row(500, SERVER, "backup_invalid"),
    errors.MailNotSent: Row(502, SERVER, "mail_not_sent"),
    errors.AccessError: Row(403, INVALID, "forbidden"),
    errors.Unauthenticated: Row(401, INVALID, "invalid_api_key"),
    errors.AccountUnconfirmed: Row(403, INVALID, "account_unconfirmed"),
    errors.AdminOnly: Row(403, INVALID, "admin_only"),
    errors.NotOwner: Row(403, INVALID, "not_owner"),
    errors.ModelForbidden: Row(403, INVALID, "model_forbidden"),
    errors.LimitExceeded: Row(429, LIMITED, "rate_limit_exceeded"),
    errors.AccountError: Row(400, INVALID, "account_error"),
    errors.AccountTaken: Row(400, INVALID, "account_taken"),
    errors.AccountNotFound: Row(404, INVALID, "account_not_found"),
    errors.AccountDecided: Row(400, INVALID, "account_decided"),
    errors.CredentialsRefused: Row(400, INVALID, "credentials_refused"),
    errors.AttemptsExceeded: Row(429, INVALID, "attempts_exceeded"),
    errors.ResetRefused: Row(400, INVALID, "reset_refused"),
    errors.PasswordInvalid: Row(422, INVALID, "password_invalid"),
    errors.OrganizationUnknown: Row(422, INVALID, "organization_unknown"),
    errors.TokenNotFound: Row(404, INVALID, "token_not_found"),
    errors.TokenNameTaken: Row(400, INVALID, "token_name_taken"),
    errors.LastAdmin: Row(400, INVALID, "last_admin"),
    errors.ObjectNotFound: Row(404, INVALID, "not_found"),
}


_LATER = (
    errors.AttemptsExceeded,
    errors.LimitExceeded,
    errors.ModelOverloaded,
    errors.ModelDown,
)
"""Whose ``seconds`` say when to come back."""


def problem_of(error: errors.AlbertError) -> Problem:
    row = next(ROWS[kind] for kind in type(error).__mro__ if kind in ROWS)
    problem = Problem(row.status, str(error), type_=row.type, code=row.code)
    if isinstance(error, errors.Unauthenticated):
        problem.headers = ((b"www-authenticate", b"Bearer"),)
    if isinstance(error, _LATER):
        problem.headers = ((b"retry-after", str(error.seconds).encode()),)
    return problem


def invalid(message: str, param: str, code: str = "invalid_value") -> Problem:
    """A field of the request is not what it must be."""
    return Problem(400, message, code=code, param=param)


def model_not_found(name: str, known: tuple[str, ...]) -> Problem:
    message = f"Le modèle {name!r} n'existe pas ici. Modèles connus : {', '.join(known)}."
    return Problem(404, message, code="model_not_found", param="model")


def internal() -> Problem:
    message = "Une erreur interne est survenue : si elle se répète, signalez-la avec x-request-id."
    return Problem(500, message, type_=SERVER, code="internal_error")


def stopping() -> Problem:
    problem = Problem(
        503, "Le service s'arrête : recommencez dans un instant.", type_=SERVER, code="stopping"
    )
    problem.headers = ((b"retry-after", b"1"),)
    return problem
