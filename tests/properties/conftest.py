"""Laws are about what is computed, not how fast: a busy machine fails none."""

from hypothesis import settings

settings.register_profile("albert", deadline=None)
settings.load_profile("albert")
