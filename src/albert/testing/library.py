"""A library in memory."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from albert.domain.documents import PUBLISHERS, Chunk, Institution, Sheet, SheetId, SourceName


class ListLibrary:
    """Holds what it is given; ``names`` are those of a directory's institutions."""

    def __init__(
        self,
        chunks: Sequence[Chunk] = (),
        sheets: Sequence[Sheet] = (),
        *,
        names: Sequence[str] = (),
        houses: Sequence[Institution] = (),
    ) -> None:
        self._chunks: dict[str, Chunk] = {chunk.id: chunk for chunk in chunks}
        self._sheets = sheets
        concerned = {name for sheet in sheets for name in sheet.institutions}
        self._names = tuple(sorted({*names, *concerned}))
        self._houses = tuple(sorted(houses, key=lambda house: (house.name, house.id)))

    async def chunks(self, ids: Sequence[str]) -> list[Chunk | None]:
        return [self._chunks.get(name) for name in ids]

    async def sheets(self, ids: Sequence[str]) -> list[Sheet | None]:
        return [self._sheet(name) for name in ids]

    async def concerning(
        self, institution: str, sources: Collection[SourceName]
    ) -> frozenset[SheetId]:
        name = " ".join(institution.split())
        return frozenset(
            sheet.id
            for sheet in self._sheets
            if sheet.source in sources and name in sheet.institutions
        )

    async def institutions(self) -> Sequence[str]:
        return self._names

    async def organizations(self) -> Sequence[Institution]:
        return self._houses

    def _sheet(self, name: str) -> Sheet | None:
        source, _, sid = name.rpartition("/")
        named = [s for s in self._sheets if s.id == sid and source in ("", s.source)]
        first = {source: rank for rank, source in enumerate(PUBLISHERS)}
        return min(named, key=lambda s: first.get(s.source, len(first)), default=None)
