#!/usr/bin/env python3
"""Makes tests/golden/train/teacher-{10,100,200}.pt: tiny TorchScript networks for colour images of
any size, with the papers' numbers of classes. Untrained. Made with torch 2.13.0.

    python3 tests/peer/make_train_teachers.py
"""

import sys
from pathlib import Path

import torch
from torch import nn

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "models"))
from export_teacher import save_scripted  # noqa: E402  (no source paths in the files)


class Teacher(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3, 4, 1, bias=False)
        self.bn = nn.BatchNorm2d(6)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(6, classes)

    def forward(self, x):
        return self.fc(torch.flatten(self.pool(torch.relu(self.bn(self.conv(x)))), 1))


if __name__ == "__main__":
    for classes in (10, 100, 200):
        torch.manual_seed(classes)
        file = ROOT / f"tests/golden/train/teacher-{classes}.pt"
        save_scripted(torch.jit.script(Teacher(classes).eval()), file)
