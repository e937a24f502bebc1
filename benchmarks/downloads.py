"""Images a second that are downloaded from a server of this machine, here and by actors of Ray.

    python -m benchmarks.downloads --images 2000 --latency 0.5 --actors 0 1 2 4

The server answers any address after `latency` seconds with one 512-pixel JPEG; its 1,000 names are all this machine.
Each way is timed as a whole, the start of its actors included; 0 actors is `execution: local`. Actors hold half a CPU,
as they mostly wait. Prints a line of JSON for each way.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import multiprocessing
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from PIL import Image

from retrieval_vs_diffusion.executors.executor import LocalExecutor, executed_by
from retrieval_vs_diffusion.images.downloads.fetcher import Fetcher
from retrieval_vs_diffusion.images.downloads.settings import Downloads
from retrieval_vs_diffusion.images.downloads.store import DownloadStore
from retrieval_vs_diffusion.models.cost_meter import CostMeter

_HOSTS = 1_000


async def this_machine(host: str, port: int) -> list[str]:
    """Resolve any name."""
    return ["127.0.0.1"]


def picture() -> bytes:
    """Smooth noise, as JPEGs of photographs: some 40 kB."""
    coarse = np.random.default_rng(0).integers(0, 256, (48, 48, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(coarse).resize((512, 512), Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def serve(latency: float, said: Connection) -> None:
    """Answer until the process is ended; tells its port."""
    data = picture()
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(data)}\r\nConnection: close\r\n\r\n".encode()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(latency)
        writer.write(head + data)
        await writer.drain()
        writer.close()

    async def run() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=1_000)
        said.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


def measure(actors: int, urls: dict[str, None]) -> dict[str, float]:
    """Seconds for all of them, on the clock and of work."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        store = DownloadStore(Path(folder))
        fetcher = Fetcher(Downloads(private_addresses=True, seconds_between=0), this_machine)
        started = time.perf_counter()
        with CostMeter("cpu") as meter:
            found = store.bring(urls, fetcher)
        seconds = time.perf_counter() - started
        assert all(each.path is not None for each in found.values())
    return {
        "actors": actors,
        "images": len(urls),
        "seconds": round(seconds, 1),
        "seconds_of_work": round(meter.seconds, 1),
        "images_a_second": round(len(urls) / seconds, 1),
    }


def main() -> None:
    """Measure each way that is asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=int, default=2_000)
    parser.add_argument("--latency", type=float, default=0.5)
    parser.add_argument("--actors", type=int, nargs="+", default=[0, 1, 2])
    asked = parser.parse_args()
    said, told = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(asked.latency, told), daemon=True)
    server.start()
    port = said.recv()
    urls = dict.fromkeys(f"http://h{number % _HOSTS}.example:{port}/{number}.jpg" for number in range(asked.images))
    about = {"latency": asked.latency, "bytes": len(picture())}
    try:
        for actors in asked.actors:
            if not actors:
                with executed_by(LocalExecutor()):
                    print(json.dumps(about | measure(actors, urls)), flush=True)
                continue
            from retrieval_vs_diffusion.executors.ray_cluster import disconnect, own_cluster
            from retrieval_vs_diffusion.executors.ray_executor import RayExecutor
            from retrieval_vs_diffusion.executors.settings import RaySettings

            settings = RaySettings(most_actors=actors, cpus_per_actor=min(0.5, 1 / actors), object_store_gb=0.2)
            with own_cluster(settings) as address, executed_by(RayExecutor(settings, address)):
                print(json.dumps(about | measure(actors, urls)), flush=True)
                disconnect()
    finally:
        server.terminate()


if __name__ == "__main__":
    main()
