"""The sheets of service-public ("Vos droits et démarches"), published by DILA as XML."""

from albert.corpus.sources.service_public.source import ServicePublic, read_sheet

__all__ = ["ServicePublic", "read_sheet"]
