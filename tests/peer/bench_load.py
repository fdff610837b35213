#!/usr/bin/env python3
"""Loading a large state_dict: bridge beside PyTorch, in turns, each in a process of its own.

    python3 tests/peer/bench_load.py [--rounds 5] [--folder /tmp]

writes a DeepMind WideResNet-70-16 (267 million parameters, 1.07 GB) with torch.save, then runs in
turns, on the file as it lies in the page cache:

    torch.load           the state_dict in memory
    torch.load + copy    and copied into a network's tensors, as load_state_dict does
    bridge read          the state_dict mapped
    bridge network       the network built and filled

and prints the median of the seconds, and by how much each process's peak of resident memory rose
above what the libraries take. Needs `mvn -DskipTests package` and test classes (`mvn test-compile`).
"""
import argparse
import collections
import glob
import json
import os
import statistics
import subprocess
import sys

import torch

PYTHON = """
import sys, time, torch
def peak():
    return next(1024 * int(l.split()[1]) for l in open('/proc/self/status') if l.startswith('VmHWM'))
torch.zeros(1)
before = peak()
begin = time.perf_counter()
state = torch.load(sys.argv[1], weights_only=True)
if sys.argv[2] == 'copy':
    own = {k: torch.empty_like(v) for k, v in state.items()}
    for k, v in state.items():
        own[k].copy_(v)
seconds = time.perf_counter() - begin
print('{"seconds": %.3f, "peak_rise": %d, "peak": %d}' % (seconds, peak() - before, peak()))
"""


def state_dict(depth=70, width=16, classes=10):
    state = collections.OrderedDict()

    def norm(name, channels):
        for key in ("weight", "bias", "running_mean", "running_var"):
            state[f"{name}.{key}"] = torch.rand(channels)
        state[f"{name}.num_batches_tracked"] = torch.tensor(0)

    state["init_conv.weight"] = torch.rand(16, 3, 3, 3)
    inner, blocks = 16, (depth - 4) // 6
    for group, outer in enumerate((16 * width, 32 * width, 64 * width)):
        for block in range(blocks):
            name = f"layer.{group}.block.{block}"
            norm(f"{name}.batchnorm_0", inner)
            state[f"{name}.conv_0.weight"] = torch.rand(outer, inner, 3, 3)
            norm(f"{name}.batchnorm_1", outer)
            state[f"{name}.conv_1.weight"] = torch.rand(outer, outer, 3, 3)
            if inner != outer:
                state[f"{name}.shortcut.weight"] = torch.rand(outer, inner, 1, 1)
            inner = outer
    norm("batchnorm", inner)
    state["logits.weight"] = torch.rand(classes, inner)
    state["logits.bias"] = torch.rand(classes)
    return state


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", default="/tmp")
    parser.add_argument("--java", default="java")
    parser.add_argument("--classpath", help="instead of what Maven built")
    args = parser.parse_args()
    file = os.path.join(args.folder, "wrn-70-16.pth")
    torch.save(state_dict(), file)
    size = os.path.getsize(file)
    classpath = args.classpath or ":".join(["target/test-classes", *glob.glob("target/bridge.jar")])
    java = [args.java, "--enable-native-access=ALL-UNNAMED",
            "-Dorg.bytedeco.javacpp.maxPhysicalBytes=0", "-cp", classpath,
            "bridge.model.LoadBenchmark"]
    runs = {
        "torch.load": [sys.executable, "-c", PYTHON, file, "load"],
        "bridge read": [*java, "read", file],
        "torch.load + copy": [sys.executable, "-c", PYTHON, file, "copy"],
        "bridge network": [*java, "dm-wrn-70-16", file],
    }
    results = {name: [] for name in runs}
    for _ in range(args.rounds):
        for name, command in runs.items():
            out = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            results[name].append(json.loads(out.strip().splitlines()[-1]))
    os.remove(file)
    print(f"file {size / 1e9:.3f} GB, {args.rounds} rounds, torch {torch.__version__}")
    for name, all_of_it in results.items():
        seconds = statistics.median(r["seconds"] for r in all_of_it)
        rise = statistics.median(r["peak_rise"] for r in all_of_it)
        peak = statistics.median(r["peak"] for r in all_of_it)
        print(f"{name:18s} {seconds:6.3f} s   peak rose by {rise / size:5.2f} x the file"
              f"   whole process {peak / size:5.2f} x")


if __name__ == "__main__":
    main()
