#!/usr/bin/env python3
"""Do two builds train the same students, bit for bit, and does one go on with the other's runs?

    python3 tests/peer/same_bits.py OLD.jar NEW.jar [--work FOLDER] [--only NAME,NAME]

With both jars: every recipe NAME-fashion-mnist for six steps on the embedded images, the quickstart for two epochs of
400 images, and one evaluation per kind of attack. Each run is made three times: by the old jar, by the new one, and
begun by the old one and finished by the new one. All tensors of the saved state, the weights that are left and every
image's outcome must be the same bytes. Needs Python's standard library only. What the old jar gave is kept in FOLDER
and not run again. Use one machine: other processors add up in another order.
"""

import argparse
import functools
import hashlib
import json
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

STEPS = 6
SMALL = [
    "data=fashion-mnist-mini", "student.model=resnet8:width=4,stride=2", "batch=16", "attack.steps=2",
    "select.validation=100", "select.steps=2", "evaluate.limit=10",
]
TEACHER = '{"model": "models/fmnist-resnet.pt", "features": "layer2"}'
CLEAN = '{"model": "models/fmnist-resnet.pt", "role": "CLEAN"}'
ADVERSARIAL = '{"model": "models/fmnist-vgg.pt", "role": "ADVERSARIAL"}'
PEER = '{"model": "resnet8:width=4,stride=2", "role": "PEER"}'
SEVERAL = '[{"model": "models/fmnist-resnet.pt"}, {"model": "models/fmnist-vgg.pt"}]'
ONE, PAIR = f"[{TEACHER}]", f"[{CLEAN}, {ADVERSARIAL}]"

# name: recipe, settings; the options are those that take another path through a method. Recipes that are not here run
# as they are.
RUNS = {
    "standard-adamw-ema": ("standard", [
        'optimizer={"name": "ADAMW", "learningRate": 0.01}', 'average={"name": "EMA", "decay": 0.9}']),
    "pgd-at-cleanPass-script": ("pgd-at", ["method.cleanPass=true", "student.model=models/fmnist-resnet.pt"]),
    "trades-paper": ("trades", ["method.reference=PAPER"]),
    "ard": ("ard", [f"teachers={ONE}", "method.alpha=0.9"]),
    "rslad": ("rslad", [f"teachers={ONE}"]),
    "rslad-half": ("rslad", [f"teachers={ONE}", "teachers[0].precision=FLOAT16"]),
    "iad": ("iad", [f"teachers={ONE}", "method.begin=0"]),
    "iad-II": ("iad", [f"teachers={PAIR}", 'method={"name": "iad", "version": "II", "begin": 0}']),
    "ada-ad": ("ada-ad", [f"teachers={ONE}"]),
    "ada-iad": ("ada-iad", [f"teachers={ONE}", "method.begin=0"]),
    "mtard": ("mtard", [f"teachers={PAIR}"]),
    "b-mtard": ("b-mtard", [f"teachers={PAIR}"]),
    "kd": ("kd", [f"teachers={ONE}"]),
    "drkd": ("drkd", [f"teachers={ONE}"]),
    "ca-mkd": ("ca-mkd", ["method.begin=0"]),
    "ca-mkd-ebkd": ("ca-mkd", ["method.ensemble=EBKD"]),
    "kd-swa": ("kd-swa", [f"teachers={PAIR}"]),
    "fitnets": ("fitnets", [f"teachers={ONE}", "method.featLayer=layer2"]),
    "fitnets-paper": ("fitnets", [f"teachers={ONE}",
                                  'method={"name": "fitnets", "featLayer": "layer2", "reference": "PAPER"}']),
    "crd": ("crd", [f"teachers={ONE}", "method.negatives=9"]),
    "vfd-adv": ("vfd-adv", [f"teachers={ONE}"]),
    "vfd-adv-trades": ("vfd-adv", [f"teachers={ONE}", "method.base=TRADES", "method.featHead=LINEAR"]),
    "peer-aid": ("peer-aid", [f"teachers=[{PEER}]", "method.lambda1=0.5"]),
    "sa-mdrad": ("sa-mdrad", [f"teachers={SEVERAL}", "method.featStartEpoch=1"]),
    "sa-mdrad-fused": ("sa-mdrad", [f"teachers={SEVERAL}", "method.featStartEpoch=1", "method.innerLoss=KL_FUSED",
                                    "method.balance=MTARD", "method.teacherInput=BOTH_AVG", "method.rectify=MIX",
                                    "method.featTarget=ADV_IF_CORRECT", "method.featHead=LINEAR_BN"]),
    "sa-mdrad-teachers": ("sa-mdrad", [f"teachers={SEVERAL}", "method.innerLoss=KL_TEACHERS",
                                       "method.teacherInput=CLEAN", "method.rectify=RAISE",
                                       "method.fusionWeights=MARGIN", "method.fusionSpace=LOSS",
                                       "method.temperature=2"]),
    "sa-mdrad-self": ("sa-mdrad", [f"teachers={SEVERAL}", "method.innerLoss=KL_SELF", "method.fusionSpace=LOGIT",
                                   "method.fusionWeights=ENTROPY", "method.rectifyBranches=ADV",
                                   "method.weightsFrom=RECTIFIED", "method.teacherOnlyT=true"]),
}
QUICKSTART = ["epochs=2", "select.validation=4600", "select.every=2", "select.steps=1", "evaluate.limit=20",
              "method.featStartEpoch=2"]
ATTACKS = {
    "linf": (0.1, "clean,fgsm,pgd5,pgd5-trades,pgd5-r2,mifgsm,cw5,cw-ciard,cw-saad,apgd-ce,apgd-dlr,fab-t,autoattack,transfer"),
    "l2": (1, "fgsm,pgd5,cw-l2,apgd-t,fab,square"),
    "l1": (12, "apgd-ce,apgd-t,fab,square"),
}


def run(jar, *words, good=(0,)):
    done = subprocess.run(["java", "-jar", str(jar), *map(str, words)], capture_output=True, text=True)
    if done.returncode not in good:
        raise SystemExit(f"{jar} {' '.join(map(str, words))}\nexit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


@functools.cache
def chooses_gradients(jar):
    """Whether the build can compute gradients in more than one way; autograd's are compared."""
    return "--gradients" in run(jar, "evaluate", "--help")


def train(jar, recipe, sets, out, steps=None, resume=False):
    if chooses_gradients(jar):
        sets = sets + ["gradients.engine=PLAIN"]
    words = ["train", recipe, "--out", out, "--threads", "1", "--device", "cpu"]
    words += [w for s in sets for w in ("--set", s)]
    words += ["--max-steps", steps] if steps else []
    run(jar, *words, *(["--resume"] if resume else []))


def tensors(file):
    """Name to digest, of a safetensors file or of the tensors' bytes in a PyTorch zip."""
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as z:
            return {n.split("/", 1)[1]: hashlib.sha256(z.read(n)).hexdigest() for n in z.namelist() if "/data" in n}
    content = file.read_bytes()
    length, = struct.unpack("<Q", content[:8])
    header = json.loads(content[8:8 + length])
    header.pop("__metadata__", None)
    body = content[8 + length:]
    return {n: t["dtype"] + str(t["shape"]) + hashlib.sha256(body[slice(*t["data_offsets"])]).hexdigest()
            for n, t in header.items()}


def left(folder):
    files = [folder / "last" / "state.safetensors", folder / "best.pth", folder / "last.pth"]
    return {f"{f.name}: {n}": d for f in files if f.exists() for n, d in tensors(f).items()}


def compare(name, what, old, new, failures):
    different = sorted(k for k in old.keys() | new.keys() if old.get(k) != new.get(k))
    if not old:
        different = ["nothing to compare"]
    print(f"{name:24} {what:8} {len(old):4} tensors or images  {'same' if not different else 'DIFFERENT: ' + different[0]}", flush=True)
    if different:
        failures.append(f"{name} {what}")


def others(args):
    """NAME of the recipes NAME-fashion-mnist that the jars have and RUNS has not."""
    jars = [jar for jar in (args.old, args.new) if jar is not None]
    listed = [set(re.findall(r"^(\S+)-fashion-mnist$", run(jar, "recipes"), re.MULTILINE)) for jar in jars]
    return sorted(set.intersection(*listed) - RUNS.keys())


def trainings(args, failures):
    runs = RUNS | {name: (name, []) for name in others(args)}
    cases = {n: (r + "-fashion-mnist", SMALL + s, STEPS) for n, (r, s) in runs.items()}
    cases["quickstart"] = ("quickstart", QUICKSTART, None)
    for name, (recipe, sets, steps) in cases.items():
        if args.only and name not in args.only:
            continue
        straight, half = args.work / "old" / name, args.work / "half" / name
        for folder, count in (straight, steps), (half, 3):
            if not (folder / "done").exists():
                shutil.rmtree(folder, ignore_errors=True)
                train(args.old, recipe, sets, folder, count)
                (folder / "done").touch()
        if args.new is None:
            continue
        new, resumed = args.work / "new" / name, args.work / "resumed" / name
        shutil.rmtree(new, ignore_errors=True)
        shutil.rmtree(resumed, ignore_errors=True)
        train(args.new, recipe, sets, new, steps)
        compare(name, "anew", left(straight), left(new), failures)
        shutil.copytree(half, resumed)
        train(args.new, recipe, sets, resumed, steps, resume=True)
        compare(name, "resumed", left(straight), left(resumed), failures)


def outcomes(jar, model, out):
    """Every image's outcome under each attack of each norm: line to digest."""
    lines = []
    for norm, (eps, attacks) in ATTACKS.items():
        file = out / f"{norm}.jsonl"
        if not file.exists():
            run(jar, "evaluate", "--model", model, "--data", "fashion-mnist-mini", "--norm", norm, "--eps", eps,
                "--limit", 24, "--threads", 2, "--batch", 12, "--attacks", attacks, "--outcomes", file,
                *(["--gradients", "PLAIN"] if chooses_gradients(jar) else []),
                *(["--surrogate", "models/fmnist-resnet.pt"] if "transfer" in attacks else []))
        lines += [norm + " " + line for line in file.read_text().splitlines()]
    return {f"{i:04} {line}": line for i, line in enumerate(lines)}


def evaluation(args, failures):
    model = args.work / "old" / "quickstart" / "best.pth"
    (args.work / "outcomes").mkdir(exist_ok=True)
    old = outcomes(args.old, model, args.work / "outcomes")
    if args.new is not None:
        with tempfile.TemporaryDirectory() as folder:
            compare("evaluate", "attacks", old, outcomes(args.new, model, Path(folder)), failures)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path, nargs="?", help="without it the old jar's runs are made and kept")
    parser.add_argument("--work", type=Path, default=Path("target/same-bits"))
    parser.add_argument("--only", type=lambda t: t.split(","), help="these runs; 'evaluate' for the attacks")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    failures = []
    trainings(args, failures)
    if not args.only or "evaluate" in args.only:
        evaluation(args, failures)
    if failures:
        sys.exit("different: " + ", ".join(failures))


if __name__ == "__main__":
    main()
