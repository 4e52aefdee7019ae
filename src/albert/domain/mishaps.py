"""What the operating system refused, in a sentence that says what to do."""

from __future__ import annotations

import errno
import socket

from albert.domain.errors import DiskFull, HomeError

_REASONS = {
    socket.EAI_NONAME: "ce nom n'a pas d'adresse",
    socket.EAI_AGAIN: "ce nom n'a pas d'adresse",  # these are negative: no errno is
    errno.EACCES: "les droits manquent",
    errno.EPERM: "les droits manquent",
    errno.EROFS: "le disque est en lecture seule",
    errno.EEXIST: "un fichier porte ce nom",
    errno.ENOTDIR: "un fichier porte le nom d'un dossier",
    errno.EISDIR: "un dossier porte le nom d'un fichier",
    errno.ENOENT: "il n'existe pas",
    errno.EMFILE: "trop de fichiers sont ouverts",
    errno.EIO: "le disque est défaillant",
    errno.ECONNREFUSED: "rien n'y écoute",
    errno.ECONNRESET: "la connexion est coupée",
    errno.ENETUNREACH: "aucun réseau n'y mène",
    errno.EHOSTUNREACH: "aucun réseau n'y mène",
    errno.EADDRNOTAVAIL: "cette adresse n'est pas de cette machine",
}


def reason(error: OSError) -> str:
    """Say in French why a file could not be read or written, or an address reached."""
    return _REASONS.get(error.errno or 0, error.strerror or type(error).__name__)


def mishap(error: OSError, instead: str = "ALBERT_HOME") -> HomeError:
    """Return what to tell of a file that could not be read or written.

    ``instead`` is the variable, or the option, by which another place would be said.
    """
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull()
    what = f"« {error.filename} »" if error.filename else "Un fichier"
    return HomeError(
        f"{what} est inutilisable ({reason(error)}) : vérifiez ses droits et le disque, "
        f"ou changez {instead}."
    )
