"""Searching the sheets without asking for an answer."""
