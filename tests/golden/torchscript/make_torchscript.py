#!/usr/bin/env python3
"""Makes the TorchScript files of this folder and what PyTorch computes with them.

    python3 tests/golden/torchscript/make_torchscript.py

Made with torch 2.13.0 (CPU), one thread.
"""
import json
import os
import sys

import torch
import torch.nn.functional as F
from torch import nn

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "..", "models"))
from export_teacher import save_scripted  # noqa: E402  (no source paths in the files)


class Block(nn.Module):
    def __init__(self, i, o, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(i, o, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(o)
        self.conv2 = nn.Conv2d(o, o, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(o)
        self.shortcut = nn.Sequential()
        if stride != 1 or i != o:
            self.shortcut = nn.Sequential(nn.Conv2d(i, o, 1, stride, bias=False), nn.BatchNorm2d(o))

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


class Net(nn.Module):
    """Nested blocks, a helper method, a module used twice, one used in a branch, one never."""

    def __init__(self, w=4):
        super().__init__()
        self.register_buffer("mean", torch.tensor(0.3))
        self.scale = nn.Parameter(torch.tensor(1.5))
        self.conv1 = nn.Conv2d(1, w, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(w)
        self.layer1 = nn.Sequential(Block(w, w, 1), Block(w, w, 1))
        self.layer2 = nn.Sequential(Block(w, 2 * w, 2), Block(2 * w, 2 * w, 1))
        self.act = nn.ReLU()
        self.extra = nn.Identity()
        self.unused = nn.Linear(2, 2)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(nn.Linear(2 * w, 2 * w), nn.ReLU(), nn.Linear(2 * w, 10))

    def maps(self, x):
        y = self.act(self.bn1(self.conv1((x - self.mean) * self.scale)))
        y = self.layer2(self.layer1(y))
        return self.act(y - 0.1)

    def forward(self, x):
        y = self.pool(self.maps(x)).flatten(1)
        if x.shape[0] > 1000:
            y = self.extra(y)
        return self.classifier(y)


class Pair(nn.Module):
    def forward(self, x):
        return x, x


TAPS = ["conv1", "layer1", "layer1.0", "layer1.0.conv2", "layer1.1", "layer2", "layer2.0.shortcut",
        "layer2.0.shortcut.1", "act", "pool", "classifier.0", "classifier.1"]


def numbers(t):
    return {"shape": list(t.shape), "values": [float(f"{v:.8g}") for v in t.detach().flatten().tolist()]}


def main():
    torch.set_num_threads(1)
    torch.manual_seed(1)
    net = Net()
    for m in net.modules():     # statistics that matter
        if isinstance(m, nn.BatchNorm2d):
            m.running_mean.uniform_(-0.2, 0.2)
            m.running_var.uniform_(0.5, 1.5)
    net.eval()
    x = torch.rand(3, 1, 12, 12)
    save_scripted(torch.jit.script(net), os.path.join(HERE, "nested.pt"))
    save_scripted(torch.jit.trace(net, x), os.path.join(HERE, "traced.pt"))
    save_scripted(torch.jit.freeze(torch.jit.script(net)), os.path.join(HERE, "frozen.pt"))
    save_scripted(torch.jit.script(Pair()), os.path.join(HERE, "pair.pt"))

    want = {"torch": torch.__version__, "images": numbers(x), "features": {}}
    want["state_dict"] = list(net.state_dict())
    want["parameters"] = [n for n, _ in net.named_parameters()]
    modules = dict(net.named_modules())
    hooks = [modules[p].register_forward_hook(
        lambda m, i, o, p=p: want["features"].__setitem__(p, numbers(o))) for p in TAPS]
    x.requires_grad_(True)
    logits = net(x)
    for h in hooks:
        h.remove()
    want["logits"] = numbers(logits)
    (logits ** 2).sum().backward()
    want["input_gradient"] = numbers(x.grad)
    want["scale_gradient"] = net.scale.grad.item()
    net.train()
    want["train_logits"] = numbers(net(x))
    want["train_running_var"] = numbers(net.layer2[0].shortcut[1].running_var)
    with open(os.path.join(HERE, "nested.json"), "w") as f:
        json.dump(want, f)
        f.write("\n")


if __name__ == "__main__":
    main()
