"""One port for HTTP and HTTPS: a connection is served as its first byte asks, for clients that insist on `https://`."""

import asyncio
import socket
import ssl
from collections.abc import Callable

HANDSHAKE = b"\x16"
"""What every TLS connection begins with, and no HTTP request."""
SILENCE_S = 60
"""How long a connection may stay open without saying anything."""


class EitherServer:
    """Accepts on a listening socket until closed. Each connection gets a protocol of its own from the factory."""

    def __init__(
        self, listener: socket.socket, factory: Callable[[], asyncio.Protocol], context: ssl.SSLContext
    ) -> None:
        listener.setblocking(False)
        self._listener, self._factory, self._context = listener, factory, context
        self._opening: set[asyncio.Task[None]] = set()
        self._accepting = asyncio.create_task(self._accept())

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(self._listener)
            except OSError:  # gone before it was accepted, or no descriptors left: the next may do better
                await asyncio.sleep(0.05)
                continue
            opening = asyncio.create_task(self._open(connection))
            self._opening.add(opening)
            opening.add_done_callback(self._opening.discard)

    async def _open(self, connection: socket.socket) -> None:
        try:
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            async with asyncio.timeout(SILENCE_S):
                first = await first_byte(connection)
            context = self._context if first == HANDSHAKE else None
            await asyncio.get_running_loop().connect_accepted_socket(self._factory, connection, ssl=context)
        except (OSError, TimeoutError):
            connection.close()
        except BaseException:
            connection.close()
            raise

    def close(self) -> None:
        """Accept nothing more; connections that were opened go on."""
        for task in (self._accepting, *self._opening):
            task.cancel()

    async def wait_closed(self) -> None:
        await asyncio.gather(self._accepting, *self._opening, return_exceptions=True)


async def first_byte(connection: socket.socket) -> bytes:
    """The first byte that comes, which stays there to be read; none at the end of the stream."""
    try:
        return connection.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        pass
    loop, readable = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(connection, readable.set)
    try:
        await readable.wait()
    finally:
        loop.remove_reader(connection)
    return connection.recv(1, socket.MSG_PEEK)
