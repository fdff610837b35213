#!/usr/bin/env python3
"""Makes the data set that the program carries, src/main/resources/bridge/data/fashion-mnist-mini.

5,000 training and 1,000 test images of Fashion-MNIST (MIT licence, Zalando SE), the same number of
every class, chosen by a fixed seed and kept in their published order. Only the standard library;
the same files whatever the Python version.

    python3 tests/peer/make_fashion_mnist_mini.py [/usr/share/datasets/fashion-mnist]
"""

import gzip
import hashlib
import struct
import sys
from pathlib import Path

SEED = "bridge fashion-mnist-mini 1"
CLASSES = 10
PER_CLASS = {"train": 500, "t10k": 100}
TARGET = (
    Path(__file__).resolve().parents[2] / "src/main/resources/bridge/data/fashion-mnist-mini"
)


def read(folder, name):
    plain, packed = folder / name, folder / (name + ".gz")
    return plain.read_bytes() if plain.exists() else gzip.decompress(packed.read_bytes())


def write(name, content):
    with open(TARGET / (name + ".gz"), "wb") as file:
        with gzip.GzipFile(filename="", fileobj=file, mode="wb", compresslevel=9, mtime=0) as out:
            out.write(content)


def rank(split, index):
    """A random place in the order of choice, which only the seed and the index determine."""
    return hashlib.sha256(f"{SEED} {split} {index}".encode()).digest()


def make(folder, split):
    images = read(folder, f"{split}-images-idx3-ubyte")
    labels = read(folder, f"{split}-labels-idx1-ubyte")[8:]
    _, count, rows, columns = struct.unpack(">4I", images[:16])
    size = rows * columns
    assert len(labels) == count and len(images) == 16 + count * size
    chosen = []
    for c in range(CLASSES):
        of_class = [i for i in range(count) if labels[i] == c]
        chosen += sorted(of_class, key=lambda i: rank(split, i))[: PER_CLASS[split]]
    chosen.sort()
    pixels = b"".join(images[16 + i * size : 16 + (i + 1) * size] for i in chosen)
    write(
        f"{split}-images-idx3-ubyte", struct.pack(">4I", 0x803, len(chosen), rows, columns) + pixels
    )
    write(
        f"{split}-labels-idx1-ubyte",
        struct.pack(">2I", 0x801, len(chosen)) + bytes(labels[i] for i in chosen),
    )


def main():
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "/usr/share/datasets/fashion-mnist")
    TARGET.mkdir(parents=True, exist_ok=True)
    for split in PER_CLASS:
        make(folder, split)


if __name__ == "__main__":
    main()
