"""Our exception hierarchy.

* AlbertError
  x HomeError              the data folder cannot be used
    + HomeTooNew, HomeBusy, DiskFull
  x CorpusError            public data cannot be read
    + SourceUnknown, SourceUnavailable, DownloadInvalid, CorpusMissing, SheetNotFound
  x SearchError
    + IndexNotFound, IndexUnavailable, IndexIncompatible
  x InferenceError
    + ModelNotFound, ModelFileInvalid, ModelNotDownloaded, ModelUnavailable, ModelOverloaded
    + ModelUnreachable     the model's server does not answer
      - ModelDown          none of its replicas does
      - ModelTooSlow       it was given its time
  x RequestError           the caller's own mistake
    + QuestionInvalid, PromptTooLong, DatasetInvalid, ModelUnfit
  x DatabaseError          the accounts and conversations
    + DatabaseUnavailable, BackupInvalid
  x MailNotSent            the mail service refused or does not answer
  x DeploymentError        what a deployment asks for cannot be done
    + EnvironmentInvalid   its file of variables is ill-formed, or lacks one
    + HostUnreachable      one of its machines does not let us in
  x AccessError            the caller may not
    + Unauthenticated, AccountUnconfirmed, AdminOnly, NotOwner
    + ModelForbidden       the model is not for this account
    + LimitExceeded        their requests, tokens or streams are used up
  x AccountError           what is asked of an account cannot be
    + AccountTaken, AccountNotFound, AccountDecided
    + CredentialsRefused, AttemptsExceeded, ResetRefused, PasswordInvalid
    + OrganizationUnknown, TokenNotFound, TokenNameTaken, LastAdmin
  x ObjectNotFound         no chat, stream or feedback has that id
  x ServiceError           the service cannot start
    + PortInUse, SettingInvalid, TableInvalid, PromptConfigInvalid

Messages: French, one sentence, then what to do. ``asgi.problems`` gives each its status.
"""


class AlbertError(Exception):
    """Base of every error we raise on purpose; its docstring is its default message."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (self.__doc__ or "").strip())


class HomeError(AlbertError):
    """Le dossier de données est inutilisable."""


class HomeTooNew(HomeError):
    """Le dossier de données vient d'une version plus récente d'Albert : mettez Albert à jour."""


class HomeBusy(HomeError):
    """Un autre processus écrit déjà dans le dossier de données : attendez qu'il ait fini."""


class DiskFull(HomeError):
    """Le disque est plein : libérez de la place, puis recommencez."""


class CorpusError(AlbertError):
    """Les données publiques ne peuvent pas être lues."""


class SourceUnknown(CorpusError):
    """Aucune source ne porte ce nom."""


class SourceUnavailable(CorpusError):
    """La source est hors d'atteinte et rien n'est en réserve."""


class DownloadInvalid(CorpusError):
    """Ce qui a été téléchargé n'est pas ce que l'éditeur annonce."""


class CorpusMissing(CorpusError):
    """Aucune fiche n'est installée : « albert corpus fetch », puis « albert corpus build »."""


class SheetNotFound(CorpusError):
    """Aucune fiche ne porte cet identifiant."""


class SearchError(AlbertError):
    """La recherche a échoué."""


class IndexNotFound(SearchError):
    """L'index n'existe pas encore : lancez « albert index build »."""


class IndexUnavailable(SearchError):
    """Le moteur de recherche ne répond pas."""


class IndexIncompatible(SearchError):
    """L'index a été construit pour un autre modèle : lancez « albert index build »."""


class InferenceError(AlbertError):
    """Un modèle n'a pas pu répondre."""


class ModelNotFound(InferenceError):
    """Aucun service n'offre ce modèle."""


class ModelFileInvalid(InferenceError):
    """Ce fichier n'est pas un modèle que l'on puisse servir."""


class ModelNotDownloaded(InferenceError):
    """Ce modèle n'est pas sur le disque : téléchargez-le par « albert models download »."""


class ModelUnavailable(InferenceError):
    """Le dépôt ne donne pas ce modèle."""


class ModelOverloaded(InferenceError):
    """Le modèle n'a plus de place pour une demande : réessayez plus tard."""

    seconds = 1
    """To wait before the next attempt."""


class ModelUnreachable(InferenceError):
    """Le service du modèle ne répond pas."""


class ModelDown(ModelUnreachable):
    """Aucune réplique du modèle ne répond : réessayez dans un instant."""

    seconds = 1
    """To wait before the next attempt."""


class ModelTooSlow(ModelUnreachable):
    """Le service du modèle n'a pas répondu à temps : réessayez."""


class RequestError(AlbertError):
    """La demande n'est pas recevable."""


class QuestionInvalid(RequestError):
    """La question est vide, trop longue ou illisible."""


class PromptTooLong(RequestError):
    """Même sans extraits, la question dépasse ce que le modèle peut lire : raccourcissez-la."""


class DatasetInvalid(RequestError):
    """Le jeu d'évaluation n'a pas la forme attendue."""


class ModelUnfit(RequestError):
    """Ce modèle fait autre chose que ce qui lui est demandé."""


class ServiceError(AlbertError):
    """Le service ne peut pas démarrer."""


class PortInUse(ServiceError):
    """Un autre programme écoute déjà sur ce port : changez ALBERT_PORT."""


class SettingInvalid(ServiceError):
    """Un réglage est incorrect."""


class TableInvalid(ServiceError):
    """La table de routage est incorrecte."""


class PromptConfigInvalid(ServiceError):
    """La configuration de prompts d'un modèle est incorrecte."""


class DatabaseError(AlbertError):
    """La base de données a refusé une opération."""


class DatabaseUnavailable(DatabaseError):
    """La base de données ne répond pas : réessayez dans un instant."""


class BackupInvalid(DatabaseError):
    """Ce fichier n'est pas une sauvegarde d'Albert que l'on puisse restaurer ici."""


class MailNotSent(AlbertError):
    """Le courriel n'a pas pu être envoyé : réessayez plus tard."""


class DeploymentError(AlbertError):
    """Le déploiement ne peut pas continuer."""


class EnvironmentInvalid(DeploymentError):
    """Le fichier de variables de l'environnement est incorrect."""


class HostUnreachable(DeploymentError):
    """Un hôte du déploiement est hors d'atteinte."""


class AccessError(AlbertError):
    """Vous n'avez pas le droit de faire cela."""


class Unauthenticated(AccessError):
    """Il faut un jeton valable : en-tête « Authorization: Bearer <jeton> »."""


class AccountUnconfirmed(AccessError):
    """Ce compte n'est pas confirmé : attendez la décision d'un administrateur."""


class AdminOnly(AccessError):
    """Cette action est réservée aux administrateurs."""


class NotOwner(AccessError):
    """Cet objet appartient à un autre compte."""


class ModelForbidden(AccessError):
    """Ce modèle n'est pas ouvert à ce compte."""


class LimitExceeded(AccessError):
    """Vous avez atteint une de vos limites : attendez avant de recommencer."""

    def __init__(self, seconds: int = 60, what: str = "", message: str | None = None) -> None:
        """``what`` says the limit: « 60 requêtes par minute »."""
        if what and message is None:
            message = f"Vous avez atteint votre limite de {what} : réessayez dans {seconds} s."
        super().__init__(message)
        self.seconds = seconds
        """To wait before the next attempt."""


class AccountError(AlbertError):
    """Ce compte ne permet pas cela."""


class AccountTaken(AccountError):
    """Ce nom d'utilisateur ou cette adresse a déjà un compte."""


class AccountNotFound(AccountError):
    """Aucun compte ne répond à ce nom ni à cette adresse."""


class AccountDecided(AccountError):
    """Ce compte a déjà été accepté ou refusé."""


class CredentialsRefused(AccountError):
    """Nom ou mot de passe incorrect, ou compte non confirmé."""


class AttemptsExceeded(AccountError):
    """Trop d'essais manqués : attendez avant de recommencer."""

    seconds = 60
    """To wait before the next attempt."""


class ResetRefused(AccountError):
    """Ce lien de réinitialisation n'est plus valable : demandez-en un autre."""


class PasswordInvalid(AccountError):
    """Le mot de passe doit avoir de 8 à 128 lettres, chiffres ou signes parmi $!%*+-?&#_=.,:;@."""


class OrganizationUnknown(AccountError):
    """Cette structure n'est pas dans la liste : choisissez-la dans /api/v2/organizations/mfs."""


class TokenNotFound(AccountError):
    """Aucun de vos jetons ne porte ce nom."""


class TokenNameTaken(AccountError):
    """Un de vos jetons porte déjà ce nom : choisissez-en un autre."""


class LastAdmin(AccountError):
    """Ce compte est le seul administrateur : nommez-en un autre avant de l'effacer."""


class ObjectNotFound(AlbertError):
    """Cet objet n'existe pas."""
