"""Albert, the sovereign assistant of the French administration."""

__version__ = "1.0.0"
