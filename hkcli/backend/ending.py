"""The end of a platform, as those learn of it who wait for somebody else on behalf of a request."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from hkcli.backend.errors import ServiceUnavailable
from hkcli.backend.one_offs import finish, first_of

Result = TypeVar("Result")

STOPPED = "The backend is being stopped"
REPLACED = "The backend is given another state"
FORGOTTEN = "ask again when it has it"


class Ending:
    """Not there until `begin`."""

    def __init__(self) -> None:
        self._begun = asyncio.Event()
        self._why = ""

    @property
    def has_begun(self) -> bool:
        return self._begun.is_set()

    def begin(self, why: str) -> None:
        self._why = why
        self._begun.set()

    def words(self, consequence: str) -> str:
        """What becomes of it when the backend is stopped; another state knows nothing of it."""
        return f"{self._why}; {consequence if self._why == STOPPED else FORGOTTEN}."

    async def or_else(self, wanted: Awaitable[Result], consequence: str) -> Result:
        """What is waited for. Raises ServiceUnavailable, with the consequence, when the end comes before it."""
        waiting = asyncio.ensure_future(wanted)
        try:
            await first_of(waiting, self._begun.wait())
        finally:
            await finish(waiting, within_s=0)
        if waiting.cancelled():
            raise ServiceUnavailable(self.words(consequence))
        return waiting.result()
