"""The networks of bench_step.py as everybody's PyTorch has them: no layer knows of another."""
import os
import sys

import torch
import torch.nn as nn
import torch.nn.functional as F

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "models"))


def unit(inputs, outputs, kernel, stride=1, groups=1):
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs))


class Residual(nn.Module):
    """Two 3x3 convolutions and the input."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.one, self.two = unit(inputs, outputs, 3, stride), unit(outputs, outputs, 3)
        same = stride == 1 and inputs == outputs
        self.shortcut = nn.Sequential() if same else unit(inputs, outputs, 1, stride)

    def forward(self, x):
        return F.relu(self.two(F.relu(self.one(x))) + self.shortcut(x))


class ResNet(nn.Module):
    """Stages that double the channels and, but for the first, halve the maps."""

    def __init__(self, channels, width, blocks, stride=1, classes=10):
        super().__init__()
        self.stem = unit(channels, width, 3, stride)
        layers, inputs = [], width
        for stage, count in enumerate(blocks):
            for block in range(count):
                outputs = width << stage
                layers.append(Residual(inputs, outputs, 2 if stage and not block else 1))
                inputs = outputs
        self.layers, self.head = nn.Sequential(*layers), nn.Linear(inputs, classes)

    def features(self, x):
        x = self.layers(F.relu(self.stem(x)))
        return F.adaptive_avg_pool2d(x, 1).flatten(1)

    def forward(self, x):
        return self.head(self.features(x))


class Inverted(nn.Module):
    """Widen by 1x1, filter each channel by 3x3, narrow by 1x1."""

    def __init__(self, inputs, outputs, expansion, stride):
        super().__init__()
        wide = inputs * expansion
        self.widen, self.filter = unit(inputs, wide, 1), unit(wide, wide, 3, stride, wide)
        self.narrow = unit(wide, outputs, 1)
        self.residual = stride == 1
        self.shortcut = unit(inputs, outputs, 1) if stride == 1 and inputs != outputs else nn.Sequential()

    def forward(self, x):
        y = self.narrow(F.relu(self.filter(F.relu(self.widen(x)))))
        return y + self.shortcut(x) if self.residual else y


class MobileNetV2(nn.Module):
    """As the distillation scripts have it for 32x32 images."""

    STAGES = ((1, 16, 1, 1), (6, 24, 2, 1), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1),
              (6, 160, 3, 2), (6, 320, 1, 1))

    def __init__(self, classes=10):
        super().__init__()
        self.stem, layers, inputs = unit(3, 32, 3), [], 32
        for expansion, outputs, count, stride in self.STAGES:
            for block in range(count):
                layers.append(Inverted(inputs, outputs, expansion, 1 if block else stride))
                inputs = outputs
        self.layers, self.last = nn.Sequential(*layers), unit(inputs, 1280, 1)
        self.head = nn.Linear(1280, classes)

    def features(self, x):
        x = F.relu(self.last(self.layers(F.relu(self.stem(x)))))
        return F.adaptive_avg_pool2d(x, 1).flatten(1)

    def forward(self, x):
        return self.head(self.features(x))


def colour(name):
    return {"resnet18": lambda: ResNet(3, 64, (2, 2, 2, 2)),
            "resnet56": lambda: ResNet(3, 16, (9, 9, 9)), "mobilenetv2": MobileNetV2}[name]()


def bundled(name):
    """A teacher of models/, from its Python class and its state_dict."""
    import train_teachers
    kind = {"resnet": train_teachers.ResNet, "vgg": train_teachers.VGG,
            "densenet": train_teachers.DenseNet}[name]
    folder = os.path.dirname(train_teachers.__file__)
    net = kind()
    net.load_state_dict(torch.load(os.path.join(folder, f"fmnist-{name}.pth"), weights_only=True))
    return net


def scripted(name):
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "models")
    return torch.jit.load(os.path.join(folder, f"fmnist-{name}.pt"))
