"""The schema's history; see ``albert.api.database.migrate``."""
