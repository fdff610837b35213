#!/usr/bin/env python3
"""Loads a student's state_dict, strictly, into a plain PyTorch ResNet for small images and writes
its logits in evaluation mode.

    python3 student_logits.py STATE DEPTH WIDTH STRIDE CLASSES IMAGES SHAPE LOGITS

STATE is read with weights_only=True; IMAGES and LOGITS are raw little-endian float32, SHAPE is
N,C,H,W. Prints the version of torch.
"""

import array
import sys

import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, i, o, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(i, o, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(o)
        self.conv2 = nn.Conv2d(o, o, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(o)
        self.downsample = None
        if stride != 1 or i != o:
            self.downsample = nn.Sequential(
                nn.Conv2d(i, o, 1, stride, bias=False), nn.BatchNorm2d(o)
            )

    def forward(self, x):
        y = torch.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return torch.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    """He et al. 2016, section 4.2, with a free width and stride of the stem."""

    def __init__(self, depth, width, stride, channels, classes):
        super().__init__()
        n = (depth - 2) // 6
        self.conv1 = nn.Conv2d(channels, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        i = width
        for s in range(3):
            o = width << s
            blocks = []
            for b in range(n):
                blocks.append(Block(i, o, 2 if s > 0 and b == 0 else 1))
                i = o
            setattr(self, f"layer{s + 1}", nn.Sequential(*blocks))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(i, classes)

    def forward(self, x):
        y = torch.relu(self.bn1(self.conv1(x)))
        y = self.layer3(self.layer2(self.layer1(y)))
        return self.fc(torch.flatten(self.avgpool(y), 1))


def main(state, depth, width, stride, classes, images, shape, logits):
    n, c, h, w = (int(s) for s in shape.split(","))
    values = array.array("f")
    with open(images, "rb") as file:
        values.frombytes(file.read())
    x = torch.tensor(values).view(n, c, h, w)
    net = ResNet(int(depth), int(width), int(stride), c, int(classes))
    net.load_state_dict(torch.load(state, weights_only=True), strict=True)
    with torch.no_grad():
        y = net.eval()(x)
    with open(logits, "wb") as file:
        file.write(array.array("f", y.flatten().tolist()).tobytes())
    print(torch.__version__)


if __name__ == "__main__":
    main(*sys.argv[1:])
