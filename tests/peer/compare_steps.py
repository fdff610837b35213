#!/usr/bin/env python3
"""Training steps of bridge beside those of plain PyTorch (bench_step.py), in turns.

    tests/peer/compare.sh [--workload small] [--method sa-mdrad] [--pairs 7] [--threads N] [--busy]

For every workload and method, first PyTorch runs once in each layout (NCHW, channels last, and
torch.compile where it runs); the fastest then meets bridge in --pairs pairs of fresh processes, whose
order alternates. Printed are the images per second of both (medians over the pairs), the ratio
bridge / PyTorch (median, and the lowest and highest pair) and the ratio of the peaks of resident
memory. Both run with their default options, but for what is given here.

    --threads N    both with so many threads
    --scaling      a table over 1, 2, 4, 8, 16 threads, as far as there are cores
    --busy         beside one process that keeps a core busy
    --steps N      timed in each process (20 of the small student, else 4)
    --set P=V      a setting of bridge's recipe, for instance to turn something off
    --autoattack D bench_autoattack.py instead, with D a checkout of the official code

Needs `mvn -DskipTests package`, and PyTorch.
"""
import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
WORKLOADS = ("small", "resnet18", "mobilenetv2")
METHODS = ("pgd-at", "sa-mdrad", "mtard", "ada-ad")
LAYOUTS = ("nchw", "channels_last", "compile")
SCALE = (1, 2, 4, 8, 16)

# In the order of bench_step.py: three for SA-MDRAD; the clean and the robust one of MTARD; AdaAD's.
TEACHERS = {
    "small": ("models/fmnist-resnet.pt", "models/fmnist-vgg.pt", "models/fmnist-densenet.pt"),
    "resnet18": ("resnet56", "resnet18", "mobilenetv2"),
    "mobilenetv2": ("resnet56", "resnet18", "mobilenetv2")}


def settings(workload, method, features):
    """What makes the workload's recipe one of this method."""
    three = TEACHERS[workload]
    teachers = {
        "pgd-at": [], "sa-mdrad": [{"model": t} for t in three],
        "mtard": [{"model": three[0], "role": "CLEAN"}, {"model": three[1], "role": "ADVERSARIAL"}],
        "ada-ad": [{"model": three[1]}]}[method]
    sets = [f"method.name={method}", "teachers=" + json.dumps(teachers)]
    return sets + (["method.betaF=0"] if method == "sa-mdrad" and not features else [])


def run(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise RuntimeError(f"{command[0]} ended with {done.returncode}: {last}")
    return done.stdout


def bridge(args, workload, method, threads):
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "bench.json")
        command = [args.java, "-jar", args.bridge, "bench",
                   os.path.join(HERE, "recipes", workload + ".json"), "--device", "cpu",
                   "--steps", str(steps(args, workload)), "--json", file]
        for value in settings(workload, method, not args.no_features) + args.set:
            command += ["--set", value]
        run(command + (["--threads", str(threads)] if threads else []))
        with open(file) as content:
            result = json.load(content)
    return result["images_per_second"]["median"], result["peak_resident_bytes"]


def pytorch(args, workload, method, threads, layout):
    command = [sys.executable, os.path.join(HERE, "bench_step.py"), workload, method,
               "--layout", layout, "--steps", str(steps(args, workload))]
    command += ["--threads", str(threads)] if threads else []
    command += ["--no-features"] if args.no_features else []
    command += ["--torchscript"] if args.torchscript and workload == "small" else []
    result = json.loads(run(command).strip().splitlines()[-1])
    return result["images_per_second"], result["peak_resident_bytes"]


def steps(args, workload):
    return args.steps or (20 if workload == "small" else 4)


@contextlib.contextmanager
def beside(busy):
    """One busy process, or none."""
    if not busy:
        yield
        return
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def fastest(args, workload, method, threads):
    speeds = {}
    for layout in args.layout or LAYOUTS:
        try:
            speeds[layout] = pytorch(args, workload, method, threads, layout)[0]
        except RuntimeError as e:
            print(f"  PyTorch {layout} does not run: {e}", flush=True)
    if not speeds:
        sys.exit("PyTorch runs in no layout")
    print("  PyTorch, one process each: "
          + ", ".join(f"{name} {speed:.1f}" for name, speed in speeds.items()), flush=True)
    return max(speeds, key=speeds.get)


def spread(values, digits=2):
    return (f"{statistics.median(values):.{digits}f}"
            f" ({min(values):.{digits}f} to {max(values):.{digits}f})")


def compare(args, workload, method, threads):
    print(f"{workload} {method}, threads {threads or 'as each chooses'}", flush=True)
    layout = fastest(args, workload, method, threads)
    pairs = []
    for i in range(args.pairs):
        sides = [lambda: bridge(args, workload, method, threads),
                 lambda: pytorch(args, workload, method, threads, layout)]
        if i % 2:
            theirs = sides[1]()
            ours = sides[0]()
        else:
            ours = sides[0]()
            theirs = sides[1]()
        pairs.append((ours, theirs))
    row = {"workload": workload, "method": method, "threads": threads, "layout": layout,
           "bridge": [ours[0] for ours, _ in pairs], "pytorch": [theirs[0] for _, theirs in pairs],
           "ratio": [ours[0] / theirs[0] for ours, theirs in pairs],
           "memory": [ours[1] / theirs[1] for ours, theirs in pairs]}
    print(f"  images/s bridge {statistics.median(row['bridge']):.1f}, PyTorch {layout}"
          f" {statistics.median(row['pytorch']):.1f}; ratio {spread(row['ratio'])};"
          f" memory {spread(row['memory'])}", flush=True)
    return row


def table(rows):
    print("\n| workload | method | threads | bridge, images/s | PyTorch, images/s | layout | ratio"
          " | memory |\n|---|---|---|---|---|---|---|---|")
    for row in rows:
        print(f"| {row['workload']} | `{row['method']}` | {row['threads'] or 'own'}"
              f" | {statistics.median(row['bridge']):.1f} | {statistics.median(row['pytorch']):.1f}"
              f" | {row['layout']} | {spread(row['ratio'])} | {spread(row['memory'])} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--workload", choices=WORKLOADS, action="append")
    parser.add_argument("--method", choices=METHODS, action="append")
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--scaling", action="store_true")
    parser.add_argument("--busy", action="store_true")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--layout", choices=LAYOUTS, action="append", help="only this one of PyTorch's")
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--no-features", action="store_true", help="sa-mdrad without feature terms")
    parser.add_argument("--torchscript", action="store_true",
                        help="PyTorch's teachers of the small student as TorchScript, too")
    parser.add_argument("--autoattack", metavar="DIR")
    parser.add_argument("--bridge", default="target/bridge.jar")
    parser.add_argument("--java", default="java")
    parser.add_argument("--json", metavar="FILE", help="every pair's figures")
    args = parser.parse_args()
    if args.autoattack:
        sys.exit(subprocess.call(
            [sys.executable, os.path.join(HERE, "bench_autoattack.py"), "--autoattack", args.autoattack,
             "--bridge", args.bridge, "--java", args.java, "--rounds", str(args.pairs),
             "--threads", str(args.threads or os.cpu_count())]))
    cores = len(os.sched_getaffinity(0))
    threads = [n for n in SCALE if n <= cores] if args.scaling else [args.threads]
    rows = []
    with beside(args.busy):
        for workload in args.workload or WORKLOADS:
            for method in args.method or METHODS:
                rows += [compare(args, workload, method, n) for n in threads]
    table(rows)
    if args.json:
        with open(args.json, "w") as out:
            json.dump({"busy": args.busy, "cores": cores, "rows": rows}, out, indent=1)


if __name__ == "__main__":
    main()
