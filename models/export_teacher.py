#!/usr/bin/env python3
"""Export a PyTorch classifier of your own as a teacher.

    python3 models/export_teacher.py --module my_nets.py:SmallNet \
        --kwargs '{"width": 32}' --checkpoint best.pth --shape 1,28,28 \
        --mean 0.286 --std 0.353 --classes 10 --out teachers/small.pt

builds `SmallNet(width=32)`, loads the weights, puts the normalisation inside
the network (so that the exported file takes images in [0, 1]), scripts it,
checks it against the eager network, prints which submodules can be tapped for
features, and writes

    teachers/small.pt     TorchScript, eval mode, no source paths inside
    teachers/small.json   a card that describes it

Run it with --list first, without writing anything, to choose --feature.
"""
import argparse
import hashlib
import importlib.util
import json
import os
import shlex
import sys
import time

import torch
from torch import nn

PREFIXES = ("module.", "model.", "_orig_mod.")
NESTS = ("state_dict", "net", "model", "model_state_dict")


# --- pieces shared with train_teachers.py -----------------------------------

def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as f:
        for block in iter(lambda: f.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def save_scripted(scripted, path):
    """torch.jit.save, less the debug records.

    Those records hold the full paths of the source files on the machine that
    scripted the network; nothing needs them to run it.
    """
    path = str(path)
    whole = path + ".tmp"
    torch.jit.save(scripted, whole)
    reader = torch._C.PyTorchFileReader(whole)
    writer = torch._C.PyTorchFileWriter(path)   # keeps the 64-byte alignment
    # the version decides what operators mean (division, for one): keep it
    writer.set_min_version(int(reader.get_record("version")))
    for name in reader.get_all_records():
        if name.endswith(".debug_pkl") or name in ("version", "byteorder") \
                or name.startswith(".data/"):
            continue                            # dropped, or rewritten below
        data = reader.get_record(name)
        writer.write_record(name, data, len(data))
    writer.write_record("byteorder", sys.byteorder.encode(), len(sys.byteorder))
    writer.write_end_of_file()
    del reader
    os.remove(whole)


def write_card(card, path):
    with open(path, "w", encoding="utf-8") as f:
        json.dump(card, f, indent=2, ensure_ascii=False)
        f.write("\n")


def count_parameters(net):
    return sum(p.numel() for p in net.parameters())


def survey(net, example):
    """One forward; for each submodule that returned one tensor, in the order
    in which they finished: (path, class, shape, calls, input features)."""
    rows, hooks = {}, []

    def watch(path, module):
        def hook(_, inputs, output):
            if not isinstance(output, torch.Tensor):
                return
            calls = rows.pop(path, (0, 0, 0, 0))[3] + 1
            rows[path] = (path, type(module).__name__, tuple(output.shape), calls,
                          getattr(module, "in_features", None))
        return hook

    for path, module in net.named_modules():
        if path:
            hooks.append(module.register_forward_hook(watch(path, module)))
    try:
        with torch.no_grad():
            net(example)
    finally:
        for h in hooks:
            h.remove()
    return list(rows.values())


def count_macs(net, example):
    """Multiply-adds of the convolutions and linear layers for one image."""
    total, hooks = 0, []

    def hook(module, inputs, output):
        nonlocal total
        if isinstance(module, nn.Linear):
            total += output[0].numel() * module.in_features
        else:
            total += output[0].numel() * module.weight[0].numel()

    for module in net.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            hooks.append(module.register_forward_hook(hook))
    with torch.no_grad():
        net(example)
    for h in hooks:
        h.remove()
    return total


def choose_feature(rows):
    """The last submodule before the final Linear whose output is as wide as
    that layer's input; None where there is no such submodule."""
    linears = [i for i, r in enumerate(rows) if r[1] == "Linear"]
    if not linears:
        return None
    last = linears[-1]
    width = rows[last][4]
    for row in reversed(rows[:last]):
        if len(row[2]) >= 2 and row[2][1] == width and row[3] == 1:
            return row
    return None


# --- the user's network -------------------------------------------------------

class Normalise(nn.Module):
    """The user's network with (x - mean) / std in front of it."""

    def __init__(self, net, mean, std):
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1))
        self.net = net

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net((x - self.mean) / self.std)


def build(spec, kwargs):
    path, colon, name = spec.rpartition(":")
    if not colon:
        sys.exit("--module must read path/to/file.py:ClassOrFunction")
    sys.path.insert(0, os.path.dirname(os.path.abspath(path)))
    module_spec = importlib.util.spec_from_file_location(
        os.path.splitext(os.path.basename(path))[0], path)
    module = importlib.util.module_from_spec(module_spec)
    sys.modules[module_spec.name] = module
    module_spec.loader.exec_module(module)
    if not hasattr(module, name):
        sys.exit(f"{path} has no {name}")
    net = getattr(module, name)(**kwargs)
    if not isinstance(net, nn.Module):
        sys.exit(f"{spec} gave a {type(net).__name__}, not a torch.nn.Module")
    return net


def read_checkpoint(path, trust):
    if path.endswith(".safetensors"):
        from safetensors.torch import load_file
        return load_file(path)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as problem:
        if not trust:
            sys.exit(f"{path} holds more than tensors and was not opened:\n{problem}\n"
                     "If you trust who made it (opening it can run code), add --trust-checkpoint.")
        content = torch.load(path, map_location="cpu", weights_only=False)
    if isinstance(content, nn.Module):
        content = content.state_dict()
    nested = True
    while nested:
        nested = False
        for key in NESTS:
            inner = content.get(key)
            if isinstance(inner, nn.Module):
                inner = inner.state_dict()
            if isinstance(inner, dict):
                content, nested = inner, True
                break
    return {k: v for k, v in content.items() if isinstance(v, torch.Tensor)}


def strip_prefixes(state, wanted):
    """Take off module., model. and _orig_mod. as long as every key carries one
    and the network itself does not expect it."""
    while state and not set(state) & set(wanted):
        for prefix in PREFIXES:
            if all(k.startswith(prefix) for k in state):
                state = {k[len(prefix):]: v for k, v in state.items()}
                break
        else:
            # compiled submodules: the mark can stand inside the key as well
            return {k.replace("_orig_mod.", ""): v for k, v in state.items()}
    return state


def load_weights(net, path, trust):
    wanted = net.state_dict()
    state = strip_prefixes(read_checkpoint(path, trust), wanted)
    if not set(state) >= set(wanted):
        state = {k.replace("_orig_mod.", ""): v for k, v in state.items()}
    missing = [k for k in wanted if k not in state and not k.endswith("num_batches_tracked")]
    extra = [k for k in state if k not in wanted]
    if missing or extra:
        sys.exit(f"{path} does not fit the network: {len(missing)} missing, e.g. {missing[:4]}; "
                 f"{len(extra)} unknown, e.g. {extra[:4]}")
    wrong = [f"{k} is {tuple(state[k].shape)} and should be {tuple(v.shape)}"
             for k, v in wanted.items() if k in state and state[k].shape != v.shape]
    if wrong:
        sys.exit(f"{path} does not fit the network (see --kwargs): " + "; ".join(wrong[:4]))
    net.load_state_dict(state, strict=False)


def to_torchscript(net, examples):
    try:
        return torch.jit.script(net), "script"
    except Exception as problem:
        first = str(problem).strip().splitlines()[0] if str(problem).strip() else type(problem).__name__
        print(f"note: the network does not script ({first})")
        print("note: traced instead; Python control flow is frozen as it ran on the example")
        return torch.jit.trace(net, examples[0]), "trace"


def check_outputs(net, scripted, examples, classes):
    worst = 0.0
    for x in examples:
        with torch.no_grad():
            a = net(x)
            try:
                b = scripted(x)
            except RuntimeError as problem:
                sys.exit(f"the exported network fails on a batch of {x.shape[0]} (does the code fix "
                         f"the batch size?); nothing written: {str(problem).strip().splitlines()[-1]}")
        if not isinstance(b, torch.Tensor) or b.dim() != 2:
            sys.exit("the network must return one tensor of shape (batch, classes)")
        if a.shape != b.shape or b.shape[0] != x.shape[0]:
            sys.exit(f"eager gives {tuple(a.shape)} and the exported one {tuple(b.shape)} "
                     f"for a batch of {x.shape[0]}")
        if classes and b.shape[1] != classes:
            sys.exit(f"--classes {classes}, but the network has {b.shape[1]} outputs")
        if not torch.isfinite(b).all():
            sys.exit("the exported network gives logits that are not finite")
        worst = max(worst, (a - b).abs().max().item())
        scale = max(1.0, a.abs().max().item())
        if worst > 1e-4 * scale:
            sys.exit(f"eager and exported logits differ by {worst:g}; nothing written")
        if x is not examples[0]:
            continue
        sums = b.sum(1)
        if (b >= 0).all() and (sums - 1).abs().max() < 1e-3:
            print("WARNING: the rows sum to 1: these look like probabilities. A teacher must "
                  "return logits; take the softmax out of the network.")
        elif b.logsumexp(1).abs().max() < 1e-3:
            print("note: the outputs look like log-probabilities; they serve as logits, "
                  "since softmax gives the same probabilities")
    return worst


def numbers(text):
    return [float(v) for v in text.split(",")]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--module", required=True, metavar="FILE.py:NAME", help="class or function that builds the network")
    p.add_argument("--kwargs", default="{}", help="JSON object passed to NAME")
    p.add_argument("--checkpoint", help=".pth/.pt/.safetensors; without it the weights NAME gives")
    p.add_argument("--trust-checkpoint", action="store_true", help="open a checkpoint that holds Python objects")
    p.add_argument("--shape", required=True, help="channels,height,width, e.g. 1,28,28")
    p.add_argument("--mean", help="per channel, e.g. 0.286 or 0.49,0.48,0.45; wraps the network")
    p.add_argument("--std", help="per channel")
    p.add_argument("--classes", type=int, help="number of classes the outputs must have")
    p.add_argument("--feature", help="module path to record as the feature (default: input of the last Linear)")
    p.add_argument("--accuracy", type=float, help="clean test accuracy to record, 0 to 1")
    p.add_argument("--images", type=int, help="how many images that accuracy was measured on")
    p.add_argument("--data", default="", help="data set name to record")
    p.add_argument("--architecture", default="", help="one sentence to record")
    p.add_argument("--list", action="store_true", help="print the module paths and write nothing")
    p.add_argument("--out", metavar="NAME.pt", help="the card goes beside it as NAME.json")
    args = p.parse_args()
    started = time.time()
    if not args.list and not args.out:
        p.error("--out is needed (or --list)")
    if args.out and not args.out.endswith(".pt"):
        p.error("--out must end in .pt")
    if (args.mean is None) != (args.std is None):
        p.error("--mean and --std go together")
    if args.accuracy is not None and not 0 <= args.accuracy <= 1:
        p.error("--accuracy is a fraction between 0 and 1")

    shape = tuple(int(v) for v in args.shape.split(","))
    if len(shape) != 3:
        p.error("--shape is channels,height,width")
    kwargs = json.loads(args.kwargs)
    net = build(args.module, kwargs)
    if args.checkpoint:
        load_weights(net, args.checkpoint, args.trust_checkpoint)
    else:
        print("note: no --checkpoint; exporting the weights the network was built with")
    mean = std = None
    if args.mean is not None:
        mean, std = numbers(args.mean), numbers(args.std)
        for name, values in (("mean", mean), ("std", std)):
            if len(values) not in (1, shape[0]):
                p.error(f"--{name} needs {shape[0]} value(s)")
        net = Normalise(net, mean, std)
    net = net.cpu().float().eval().to(memory_format=torch.contiguous_format)
    for parameter in net.parameters():
        parameter.requires_grad_(False)

    # different batch sizes: a trace that froze the batch size is found out here
    generator = torch.Generator().manual_seed(0)
    examples = [torch.rand((n,) + shape, generator=generator) for n in (2, 5, 1)]
    with torch.no_grad():
        classes = net(examples[0]).shape[1]

    rows = survey(net, examples[0])
    width = max([len(r[0]) for r in rows] + [6])
    print(f"{'module':<{width}}  {'class':<20} output")
    for path, kind, out, calls, _ in rows:
        size = "(N" + "".join(f", {d}" for d in out[1:]) + ")"
        print(f"{path:<{width}}  {kind:<20} {size}" + (f"  called {calls} times" if calls > 1 else ""))
    if args.feature:
        feature = next((r for r in rows if r[0] == args.feature), None)
        if feature is None:
            sys.exit(f"--feature {args.feature}: no such path in the list above")
        if feature[3] > 1:
            print(f"WARNING: {args.feature} is called {feature[3]} times in one forward")
    else:
        feature = choose_feature(rows)
    print("feature:", feature[0] if feature else "none found; name one with --feature")
    if args.list:
        return

    scripted, how = to_torchscript(net, examples)
    worst = check_outputs(net, scripted, examples, args.classes)
    folder = os.path.dirname(args.out)
    if folder:
        os.makedirs(folder, exist_ok=True)
    save_scripted(scripted, args.out)
    loaded = torch.jit.load(args.out)
    with torch.no_grad():
        if not torch.equal(loaded(examples[1]), scripted(examples[1])):
            sys.exit(f"{args.out} does not give the same logits once loaded again")

    file = os.path.basename(args.out)
    name = file[:-len(".pt")]
    card = {
        "name": name,
        "architecture": args.architecture or f"{args.module.rpartition(':')[2]}({args.kwargs})",
        "file": file,
        "data": args.data,
        "channels": shape[0],
        "classes": classes,
        "image_size": shape[1] if shape[1] == shape[2] else list(shape[1:]),
        "parameters": count_parameters(net),
        "macs": count_macs(net, examples[2]),
        "normalisation": {"mean": mean, "std": std, "where": "inside the network"} if mean else
                         {"mean": [0.0] * shape[0], "std": [1.0] * shape[0], "where": "inside the network"},
        "feature": {"module": feature[0], "channels": feature[2][1]} if feature else None,
        "accuracy": {"clean_test": args.accuracy, "images": args.images} if args.accuracy is not None else None,
        "sha256": {file: sha256(args.out)},
        "made": {"script": "export_teacher.py", "command": "python3 " + shlex.join(sys.argv),
                 "how": how, "torch": torch.__version__, "seconds": round(time.time() - started, 1)},
    }
    write_card(card, args.out[:-len(".pt")] + ".json")
    print(f"wrote {args.out} ({os.path.getsize(args.out) / 1e6:.2f} MB, {how}) and {name}.json; "
          f"largest difference from the eager logits {worst:.1e}")


if __name__ == "__main__":
    main()
