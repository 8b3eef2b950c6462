"""A server's end of one TLS connection that can be closed without losing what was sent.

asyncio's own TLS transport closes the socket right after close_notify. If the client is still sending at that moment,
the kernel answers with a reset and drops output that has not left yet. Here the writing side is shut first, and input
is read and thrown away until the client has closed as well."""

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from typing import cast

BACKLOG_BYTES = 64 * 1024
"""Decrypted input that waits for a reader; beyond it the socket is not read."""
READ_BYTES = 64 * 1024


class TLSStream(asyncio.Protocol):
    """`on_connect` is called with the stream when a client has connected, before the handshake."""

    def __init__(self, context: ssl.SSLContext, on_connect: "Callable[[TLSStream], None]") -> None:
        self._on_connect = on_connect
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._shaken = False
        self._received = bytearray()
        self._at_end = False
        self._closing = False
        self._can_read = asyncio.Event()
        self._can_write = asyncio.Event()
        self._can_write.set()
        self._lost = asyncio.Event()

    async def read(self) -> bytes:
        """Some bytes; empty when the client has closed or is gone."""
        while not self._received and not self._at_end:
            self._can_read.clear()
            await self._can_read.wait()
        data = bytes(self._received)
        self._received.clear()
        if not self._lost.is_set():
            self._transport.resume_reading()
        return data

    async def write(self, record: bytes) -> bool:
        """Send it as one TLS record (of up to 16 KB) and wait while the client is slow; False if it is gone."""
        if self._closing or self._lost.is_set():
            return False
        try:
            self._tls.write(record)
        except ssl.SSLError:
            self._transport.abort()
            return False
        self._flush()
        await self._can_write.wait()
        return not self._lost.is_set()

    async def close(self, *, within_s: float) -> None:
        """close_notify, end of writing, then wait for the client to close as well; a reset if it does not in time."""
        if not self._closing and not self._lost.is_set():
            self._closing = self._at_end = True
            self._can_read.set()
            if self._shaken:
                self._say_goodbye()
            with contextlib.suppress(OSError):  # the connection may be broken, and nobody have noticed yet
                self._transport.write_eof()
            self._transport.resume_reading()
            try:
                async with asyncio.timeout(within_s):
                    await self._lost.wait()
            except TimeoutError:
                pass
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but its class
        self._on_connect(self)

    def data_received(self, data: bytes) -> None:
        if self._closing:
            return
        self._incoming.write(data)
        try:
            self._decrypt()
        except ssl.SSLError:
            self._flush()
            self._transport.abort()

    def eof_received(self) -> bool:
        """The client sends no more. While we close, that is what we wait for; else it counts as gone."""
        self._end()
        return not self._closing

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost.set()
        self._can_write.set()
        self._end()

    def pause_writing(self) -> None:
        self._can_write.clear()

    def resume_writing(self) -> None:
        self._can_write.set()

    def _decrypt(self) -> None:
        try:
            if not self._shaken:
                self._tls.do_handshake()
                self._shaken = True
            while data := self._tls.read(READ_BYTES):
                self._received += data
            self._end()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self._end()
        self._flush()
        if self._received:
            self._can_read.set()
        if len(self._received) >= BACKLOG_BYTES:
            self._transport.pause_reading()

    def _say_goodbye(self) -> None:
        with contextlib.suppress(ssl.SSLError):  # the client need not have said the same yet
            self._tls.unwrap()
        self._flush()

    def _flush(self) -> None:
        if data := self._outgoing.read():
            self._transport.write(data)

    def _end(self) -> None:
        self._at_end = True
        self._can_read.set()
