#!/usr/bin/env python3
"""Makes tests/golden/train/optimizers.safetensors and schedules.json: what PyTorch's optimisers do
with given gradients, and its schedules over some epochs. Needs torch; both files say which version
made them.

    python3 tests/peer/make_optimizer_trajectories.py
"""

import json
import struct
from pathlib import Path

import torch

TARGET = Path(__file__).resolve().parents[1] / "golden/train"
STEPS = 8
SHAPES = {"a": (3, 4), "b": (5,)}
RATES = [0.1, 0.1, 0.05, 0.2, 0.01, 0.01, 0.003, 0.1]
CASES = {
    "sgd-plain": (torch.optim.SGD, {}),
    "sgd-momentum": (torch.optim.SGD, {"momentum": 0.9, "weight_decay": 5e-4}),
    "sgd-nesterov": (
        torch.optim.SGD,
        {"momentum": 0.8, "weight_decay": 1e-2, "nesterov": True},
    ),
    "adamw": (torch.optim.AdamW, {"weight_decay": 1e-2}),
    "adamw-other": (
        torch.optim.AdamW,
        {"betas": (0.8, 0.95), "eps": 1e-4, "weight_decay": 0.1},
    ),
}


def trajectory(optimiser, settings, starts, gradients):
    parameters = {n: torch.nn.Parameter(t.clone()) for n, t in starts.items()}
    optimizer = optimiser(parameters.values(), lr=1.0, **settings)
    seen = {n: [] for n in parameters}
    for step, rate in enumerate(RATES):
        optimizer.param_groups[0]["lr"] = rate
        for n, p in parameters.items():
            p.grad = gradients[n][step].clone()
        optimizer.step()
        for n, p in parameters.items():
            seen[n].append(p.detach().clone())
    return {n: torch.stack(t) for n, t in seen.items()}


def save(file, tensors, metadata):
    """safetensors, float32 only."""
    header, body = {"__metadata__": metadata}, b""
    for name, t in tensors.items():
        data = struct.pack(f"<{t.numel()}f", *t.flatten().tolist())
        header[name] = {
            "dtype": "F32",
            "shape": list(t.shape),
            "data_offsets": [len(body), len(body) + len(data)],
        }
        body += data
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    file.write_bytes(struct.pack("<Q", len(text)) + text + body)


def optimizers():
    torch.manual_seed(1)
    starts = {n: torch.randn(s) for n, s in SHAPES.items()}
    gradients = {n: torch.randn(STEPS, *s) * 0.3 for n, s in SHAPES.items()}
    tensors = {"rates": torch.tensor(RATES)}
    for n in SHAPES:
        tensors[f"start.{n}"] = starts[n]
        tensors[f"gradient.{n}"] = gradients[n]
    for case, (optimiser, settings) in CASES.items():
        for n, t in trajectory(optimiser, settings, starts, gradients).items():
            tensors[f"{case}.{n}"] = t
    save(TARGET / "optimizers.safetensors", tensors, {"torch": torch.__version__})


def rates(make, epochs):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = make(optimizer)
    seen = []
    for _ in range(epochs):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return seen


def schedules():
    s = torch.optim.lr_scheduler
    made = {
        "torch": torch.__version__,
        "epochs": 10,
        "multi-step": rates(lambda o: s.MultiStepLR(o, [3, 4, 8], gamma=0.2), 10),
        "cosine": rates(lambda o: s.CosineAnnealingLR(o, 10), 10),
        "cosine-last": rates(lambda o: s.CosineAnnealingLR(o, 10, eta_min=0.05), 10),
    }
    (TARGET / "schedules.json").write_text(json.dumps(made, indent=1) + "\n")


if __name__ == "__main__":
    TARGET.mkdir(exist_ok=True)
    optimizers()
    schedules()
