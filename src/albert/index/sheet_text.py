"""What stands for a whole sheet when it is embedded."""

from __future__ import annotations

from albert.domain.documents import Sheet

_CHARACTERS = 1250
"""At most 460 tokens of multilingual-e5 on the densest of 3,926 sheets (2.7 characters each)."""


def sheet_text(sheet: Sheet) -> str:
    """Return title, introduction, and each heading once, cut at a word after about 450 tokens."""
    headings = dict.fromkeys(heading for section in sheet.sections for heading in section.headings)
    parts = (sheet.title, sheet.introduction or sheet.description, ". ".join(headings))
    text = "\n".join(part for part in (" ".join(part.split()) for part in parts) if part)
    return text if len(text) <= _CHARACTERS else text[:_CHARACTERS].rsplit(None, 1)[0]
