"""One side of a routed request: HTTP/1.1 over a stream, by h11, with bounded buffers both ways."""

import asyncio

import h11

BUFFER_BYTES = 64 * 1024
HEAD_BYTES = 64 * 1024

Event = h11.Event | type[h11.PAUSED]


class Wire:
    def __init__(
        self, role: type[h11.CLIENT] | type[h11.SERVER], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.state = h11.Connection(role, max_incomplete_event_size=HEAD_BYTES)
        self.reader, self.writer = reader, writer
        self.received_bytes = 0

    async def receive(self) -> Event:
        """The next event. Raises h11.RemoteProtocolError when the peer breaks the rules, or off."""
        while (event := self.state.next_event()) is h11.NEED_DATA:
            if self.state.they_are_waiting_for_100_continue:
                await self.send(h11.InformationalResponse(status_code=100, headers=[]))
            await self._read()
        return event  # type: ignore[return-value]

    async def _read(self) -> None:
        data = await self.reader.read(BUFFER_BYTES)
        self.received_bytes += len(data)
        self.state.receive_data(data)

    async def send(self, *events: h11.Event) -> None:
        """Write the events as one piece; returns when the peer has kept up."""
        self.writer.write(b"".join(self.state.send(event) or b"" for event in events))
        await self.writer.drain()

    def trailing(self) -> bytes:
        """What came after the protocol was switched, not read from the stream any more."""
        return self.state.trailing_data[0]

    def abort(self) -> None:
        """Let the peer see that the end is not the end of the message."""
        self.writer.transport.abort()
