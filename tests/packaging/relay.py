"""Passes connections on from one address to another, a line of `FROM TO` each: the wires between a container and its servers.

An address is `tcp:HOST:PORT` or `unix:PATH`. Prints `ready` when all listen.
"""

import asyncio
import sys

CHUNK = 65_536


async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


async def listen(here: str, there: str) -> None:
    async def taken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        kind, _, rest = there.partition(":")
        host, _, port = rest.partition(":")
        try:
            opened = asyncio.open_unix_connection(rest) if kind == "unix" else asyncio.open_connection(host, int(port))
            far_reader, far_writer = await opened
        except OSError:
            writer.close()
            return
        await asyncio.gather(pass_on(reader, far_writer), pass_on(far_reader, writer))

    kind, _, rest = here.partition(":")
    host, _, port = rest.partition(":")
    await (asyncio.start_unix_server(taken, rest) if kind == "unix" else asyncio.start_server(taken, host, int(port)))


async def main(pairs: list[str]) -> None:
    for here, there in zip(pairs[::2], pairs[1::2], strict=True):
        await listen(here, there)
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
