"""A process that pushes images from several threads and says what was acknowledged.

    python -m tests.registry.pusher zygote            waits for lines FOLDER NAME, forks a pusher for each
    python -m tests.registry.pusher run FOLDER COUNT  pushes so many images a thread, ends

The line ``ready`` says that the registry is open; each acknowledged image is one line ``ack TAG``, written at once.
Content and tag follow from one another, so that whoever reads the line knows what must be there.
"""

from __future__ import annotations

import os
import sys
import threading
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Final

from tests.crash.producer import open_database, say
from tests.databases import open_ledger
from tests.registry_stand import ALICE, WEB, image_of

from chainward.adapters.blobs.local import LocalBlobs
from chainward.adapters.sql.migrate import load_tables
from chainward.adapters.sql.registry import WRITES, SqlRegistryStore
from chainward.adapters.system import SystemClock, SystemEntropy
from chainward.formats.oci import OCI_MANIFEST
from chainward.kernel.digest import Digest
from chainward.kernel.name import Tag
from chainward.registry import open_registry
from chainward.registry.upload import Span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chainward.registry.registry import Registry

__all__ = ["CONFIG", "image_named", "layer_named", "opened"]

THREADS: Final = 3
CONFIG: Final = b'{"architecture":"amd64"}'
SIZES: Final = (1, 700, 5_000, 70_000)


def layer_named(tag: str) -> bytes:
    """Return the layer of the image with this tag."""
    random = Random(tag)  # noqa: S311 - content must follow from the name
    return random.randbytes(random.choice(SIZES))


def image_named(tag: str) -> bytes:
    """Return the manifest of the image with this tag."""
    return image_of(CONFIG, layer_named(tag))


@contextmanager
def opened(folder: Path) -> Iterator[Registry]:
    """Open the registry in ``folder`` as every start of the platform does."""
    database = open_database(f"sqlite:///{folder}/chainward.db")
    clock = SystemClock()
    ledger = open_ledger(database, WRITES, clock=clock)
    blobs = LocalBlobs(folder / "blobs", folder / "uploads")
    try:
        yield open_registry(SqlRegistryStore(database), blobs, blobs, ledger, clock, SystemEntropy())
    finally:
        ledger.close()
        database.close()


def push(registry: Registry, tag: str) -> None:
    """Push one image: the config in one request, the layer in two chunks, the manifest last."""
    uploads = registry.uploads
    with closing(uploads.receive_whole(len(CONFIG))) as whole:
        whole.write([CONFIG])
        uploads.keep(WEB, whole, Digest.of(CONFIG), ALICE)
    layer = layer_named(tag)
    upload = uploads.start(WEB, ALICE).id
    for chunk in (layer[: len(layer) // 2], layer[len(layer) // 2 :]):
        with closing(uploads.receive(WEB, upload, Span(), ALICE)) as reception:
            reception.write([chunk])
    uploads.finish(WEB, upload, Digest.of(layer), ALICE)
    registry.manifests.put(WEB, Tag(tag), OCI_MANIFEST, image_named(tag), ALICE)


def run(folder: Path, name: str, count: int) -> None:
    """Push and end in good order."""

    def work(thread: int) -> None:
        for number in range(count):
            tag = f"{name}-{thread}-{number}"
            push(registry, tag)
            say(f"ack {tag}")

    with opened(folder) as registry:
        say("ready")
        threads = [threading.Thread(target=work, args=(thread,)) for thread in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def zygote() -> None:
    """Fork a pusher for each line; whoever reads our output kills it."""
    load_tables()
    for line in sys.stdin:
        folder, name = line.split()
        child = os.fork()
        if child == 0:
            run(Path(folder), name, 1_000_000)
            os._exit(0)
        say(f"pid {child}")
        os.waitpid(child, 0)
        say("end")


if __name__ == "__main__":
    if sys.argv[1] == "zygote":
        zygote()
    else:
        run(Path(sys.argv[2]), "run", int(sys.argv[3]))
