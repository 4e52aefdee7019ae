"""Our exception hierarchy.

* AlbertError
  x HomeError              the data folder cannot be used
    + HomeTooNew           it was written by a newer version
    + HomeBusy             another process is writing in it
    + DiskFull             there is no room left to write
  x CorpusError            public data cannot be read
    + SourceUnknown        no reader bears that name
    + SourceUnavailable    neither the network nor the cache has it
    + DownloadInvalid      what came is not what its publisher promises
    + CorpusMissing        nothing was fetched or built yet
    + SheetNotFound        no sheet bears that id
  x SearchError
    + IndexNotFound        the index was never built
    + IndexUnavailable     the search engine does not answer
    + IndexIncompatible    built for another model or format
  x InferenceError
    + ModelNotFound        no server offers that model
    + ModelFileInvalid     the file is not a model that we can serve
    + ModelOverloaded      retry later
    + ModelUnreachable     the model's server does not answer
  x RequestError           the caller's own mistake
    + QuestionInvalid      empty, too long, or not text
    + PromptTooLong        even without passages, the question overflows the window
    + DatasetInvalid       an evaluation file is not of the expected form
  x ServiceError           the service cannot start
    + PortInUse            another program listens there
    + SettingInvalid       a setting is unknown or ill-formed

Messages are read by public agents: French, one sentence, then what to do.
Nothing here knows about HTTP; ``albert.api.errors`` gives each its status.
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


class ModelOverloaded(InferenceError):
    """Le modèle n'a plus de place pour une demande : réessayez plus tard."""


class ModelUnreachable(InferenceError):
    """Le service du modèle ne répond pas."""


class RequestError(AlbertError):
    """La demande n'est pas recevable."""


class QuestionInvalid(RequestError):
    """La question est vide, trop longue ou illisible."""


class PromptTooLong(RequestError):
    """Même sans extraits, la question dépasse ce que le modèle peut lire : raccourcissez-la."""


class DatasetInvalid(RequestError):
    """Le jeu d'évaluation n'a pas la forme attendue."""


class ServiceError(AlbertError):
    """Le service ne peut pas démarrer."""


class PortInUse(ServiceError):
    """Un autre programme écoute déjà sur ce port : changez ALBERT_PORT."""


class SettingInvalid(ServiceError):
    """Un réglage est incorrect."""
