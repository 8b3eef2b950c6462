"""How a request has the state of the whole platform replaced, and learns that it was."""

import asyncio


class Handover:
    """A wish that another state take the platform's place, and its fulfilment."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        """Held by whoever saves or restores a state: one at a time."""
        self.wanted = asyncio.Event()
        self._done = asyncio.Event()

    async def carry_out(self) -> None:
        """Returns when the platform of the new state answers."""
        self._done.clear()
        self.wanted.set()
        await self._done.wait()

    def conclude(self) -> None:
        self.wanted.clear()
        self._done.set()
