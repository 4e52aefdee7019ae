"""Every table, for those who look at the whole: migrations' tests, export, erasure."""

from __future__ import annotations

from albert.api.database.tables import Table
from albert.api.features.accounts import tables as _accounts
from albert.api.features.chats import tables as _chats
from albert.api.features.feedback import tables as _feedback
from albert.api.features.limits import tables as _limits
from albert.api.features.ownership import tables as _ownership
from albert.api.features.streams import tables as _streams
from albert.api.features.tokens import tables as _tokens
from albert.api.features.usage import tables as _usage

MODULES = (_accounts, _chats, _feedback, _limits, _ownership, _streams, _tokens, _usage)
METADATA = Table.metadata
