"""Measuring what Albert finds and says, on questions whose right sheet is known."""
