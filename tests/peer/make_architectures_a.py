#!/usr/bin/env python3
"""Makes golden files of residual, dense and small networks for tests/golden/architectures, as
make_architectures_b.py does for others. Every network is stated here once, in plain PyTorch, from
its paper and the names its public code gives; most are narrow, so that the files and the test stay
small.

    python3 tests/peer/make_architectures_a.py
"""

import torch
from torch import nn
from torch.nn import functional as F

from make_architectures_b import write

BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
CIFAR10 = (0.4914, 0.4822, 0.4465), (0.2471, 0.2435, 0.2616)
CIFAR100 = (0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)
MNIST = (0.5,), (0.5,)


def conv(inner, outer, kernel, stride=1, padding=None):
    padding = kernel // 2 if padding is None else padding
    return nn.Conv2d(inner, outer, kernel, stride, padding, bias=False)


def stage(block, inner, outer, count, stride):
    """The blocks of a stage; a block says how many channels it gives."""
    blocks = [block(inner, outer, stride)]
    blocks += [block(blocks[0].outer, outer, 1) for _ in range(count - 1)]
    return nn.Sequential(*blocks)


class ResNet(nn.Module):
    """kuangliu's with bottlenecks."""

    def __init__(self, depth, width, classes, channels=3):
        super().__init__()
        self.conv1, self.bn1 = conv(channels, width, 3), nn.BatchNorm2d(width)
        inner = width
        for s, count in enumerate(BLOCKS[depth]):
            layer = stage(self.Bottleneck, inner, width * 2**s, count, 1 if s == 0 else 2)
            self.add_module(f"layer{s + 1}", layer)
            inner = layer[-1].outer
        self.linear = nn.Linear(inner, classes)

    class Bottleneck(nn.Module):
        def __init__(self, inner, width, stride):
            super().__init__()
            self.outer = 4 * width
            self.conv1, self.bn1 = conv(inner, width, 1), nn.BatchNorm2d(width)
            self.conv2, self.bn2 = conv(width, width, 3, stride), nn.BatchNorm2d(width)
            self.conv3, self.bn3 = conv(width, self.outer, 1), nn.BatchNorm2d(self.outer)
            self.shortcut = nn.Sequential()
            if stride != 1 or inner != self.outer:
                self.shortcut.append(conv(inner, self.outer, 1, stride))
                self.shortcut.append(nn.BatchNorm2d(self.outer))

        def forward(self, x):
            y = self.bn1(self.conv1(x)).relu()
            y = self.bn2(self.conv2(y)).relu()
            return (self.bn3(self.conv3(y)) + self.shortcut(x)).relu()

    def forward(self, x):
        x = self.bn1(self.conv1(x)).relu()
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.linear(x.mean((2, 3)))


class PreActResNet(nn.Module):
    """kuangliu's; ``activated``: the projection sees the activated input."""

    def __init__(self, depth, width, classes, bn, activated, channels=3):
        super().__init__()

        def block(inner, outer, stride):
            return self.Block(inner, outer, stride, depth >= 50, activated)

        self.conv1 = conv(channels, width, 3)
        inner = width
        for s, count in enumerate(BLOCKS[depth]):
            layer = stage(block, inner, width * 2**s, count, 1 if s == 0 else 2)
            self.add_module(f"layer{s + 1}", layer)
            inner = layer[-1].outer
        if bn:
            self.bn = nn.BatchNorm2d(inner)
        self.linear = nn.Linear(inner, classes)

    class Block(nn.Module):
        def __init__(self, inner, width, stride, bottleneck, activated):
            super().__init__()
            self.outer = 4 * width if bottleneck else width
            self.activated = activated
            kernels = (1, 3, 1) if bottleneck else (3, 3)
            strides = (1, stride, 1) if bottleneck else (stride, 1)
            outers = (width, width, self.outer) if bottleneck else (width, width)
            channels = inner
            for i, (kernel, step, outer) in enumerate(zip(kernels, strides, outers), 1):
                self.add_module(f"bn{i}", nn.BatchNorm2d(channels))
                self.add_module(f"conv{i}", conv(channels, outer, kernel, step))
                channels = outer
            self.count = len(kernels)
            if stride != 1 or inner != self.outer:
                self.shortcut = nn.Sequential(conv(inner, self.outer, 1, stride))

        def forward(self, x):
            activated = self.bn1(x).relu()
            y = self.conv1(activated)
            for i in range(2, self.count + 1):
                y = self.get_submodule(f"conv{i}")(self.get_submodule(f"bn{i}")(y).relu())
            if not hasattr(self, "shortcut"):
                return x + y
            return y + self.shortcut(activated if self.activated else x)

    def forward(self, x):
        x = self.layer4(self.layer3(self.layer2(self.layer1(self.conv1(x)))))
        if hasattr(self, "bn"):
            x = self.bn(x).relu()
        return self.linear(x.mean((2, 3)))


def end_padded(x, stride):
    """What a 3×3 convolution without padding needs: zeros around, or at the end for stride 2."""
    return F.pad(x, (1, 1, 1, 1) if stride == 1 else (0, 1, 0, 1))


class DeepMind(nn.Module):
    """What DeepMind's two networks share: images are padded and normalised inside."""

    def __init__(self, activation, constants, padding):
        super().__init__()
        self.activation, self.padding = activation, padding
        self.constants = [torch.tensor(c).view(-1, 1, 1) for c in constants]

    def images(self, x):
        mean, std = (c.to(x) for c in self.constants)
        return (F.pad(x, (self.padding,) * 4) - mean) / std


class DeepMindPreActResNet(DeepMind):
    def __init__(self, depth, width, classes, activation, constants, padding=0, channels=3):
        super().__init__(activation, constants, padding)

        def block(inner, outer, stride):
            return self.Block(inner, outer, stride, activation)

        self.conv_2d = conv(channels, width, 3)
        inner = width
        for s, count in enumerate(BLOCKS[depth]):
            layer = stage(block, inner, width * 2**s, count, 1 if s == 0 else 2)
            self.add_module(f"layer_{s}", layer)
            inner = layer[-1].outer
        self.batchnorm = nn.BatchNorm2d(inner)
        self.logits = nn.Linear(inner, classes)

    class Block(nn.Module):
        def __init__(self, inner, outer, stride, activation):
            super().__init__()
            self.outer, self.stride, self.activation = outer, stride, activation
            self.batchnorm_0 = nn.BatchNorm2d(inner)
            self.conv_2d_1 = conv(inner, outer, 3, stride, 0)
            self.batchnorm_1 = nn.BatchNorm2d(outer)
            self.conv_2d_2 = conv(outer, outer, 3)
            self.projects = stride != 1 or inner != outer
            if self.projects:
                self.shortcut = conv(inner, outer, 3, stride, 0)

        def forward(self, x):
            y = self.conv_2d_1(end_padded(self.activation(self.batchnorm_0(x)), self.stride))
            y = self.conv_2d_2(self.activation(self.batchnorm_1(y)))
            return y + (self.shortcut(end_padded(x, self.stride)) if self.projects else x)

    def forward(self, x):
        x = self.conv_2d(self.images(x))
        x = self.layer_3(self.layer_2(self.layer_1(self.layer_0(x))))
        return self.logits(self.activation(self.batchnorm(x)).mean((2, 3)))


class DeepMindWideResNet(DeepMind):
    def __init__(self, depth, width, classes, activation, constants, padding=0, channels=3):
        super().__init__(activation, constants, padding)

        def block(inner, outer, stride):
            return self.Block(inner, outer, stride, activation)

        self.init_conv = conv(channels, 16, 3)
        groups, inner = [], 16
        for g in range(3):
            group = nn.Module()
            outer = 16 * width * 2**g
            group.block = stage(block, inner, outer, (depth - 4) // 6, 1 if g == 0 else 2)
            group.forward = group.block.forward
            groups.append(group)
            inner = outer
        self.layer = nn.Sequential(*groups)
        self.batchnorm = nn.BatchNorm2d(inner)
        self.logits = nn.Linear(inner, classes)

    class Block(nn.Module):
        def __init__(self, inner, outer, stride, activation):
            super().__init__()
            self.outer, self.stride, self.activation = outer, stride, activation
            self.batchnorm_0 = nn.BatchNorm2d(inner)
            self.conv_0 = conv(inner, outer, 3, stride, 0)
            self.batchnorm_1 = nn.BatchNorm2d(outer)
            self.conv_1 = conv(outer, outer, 3)
            if inner != outer:
                self.shortcut = conv(inner, outer, 1, stride)

        def forward(self, x):
            activated = self.activation(self.batchnorm_0(x))
            y = self.conv_0(end_padded(activated, self.stride))
            y = self.conv_1(self.activation(self.batchnorm_1(y)))
            return y + (self.shortcut(activated) if hasattr(self, "shortcut") else x)

    def forward(self, x):
        x = self.batchnorm(self.layer(self.init_conv(self.images(x))))
        return self.logits(self.activation(x).mean((2, 3)))


class WideResNet(nn.Module):
    """That of TRADES; ``subblock``: with the group that is never used."""

    def __init__(self, depth, width, classes, subblock, channels=3):
        super().__init__()
        self.conv1 = conv(channels, 16, 3)
        for name in ["block1"] + ["sub_block1"] * subblock + ["block2", "block3"]:
            number = int(name[-1])
            outer = 16 * width * 2 ** (number - 1)
            group = nn.Module()
            inner = 16 if number == 1 else outer // 2
            group.layer = stage(
                self.Block, inner, outer, (depth - 4) // 6, 1 if number == 1 else 2
            )
            group.forward = group.layer.forward
            self.add_module(name, group)
        self.bn1 = nn.BatchNorm2d(outer)
        self.fc = nn.Linear(outer, classes)

    class Block(nn.Module):
        def __init__(self, inner, outer, stride):
            super().__init__()
            self.outer = outer
            self.bn1, self.conv1 = nn.BatchNorm2d(inner), conv(inner, outer, 3, stride)
            self.bn2, self.conv2 = nn.BatchNorm2d(outer), conv(outer, outer, 3)
            if inner != outer:
                self.convShortcut = conv(inner, outer, 1, stride)

        def forward(self, x):
            activated = self.bn1(x).relu()
            y = self.conv2(self.bn2(self.conv1(activated)).relu())
            return y + (self.convShortcut(activated) if hasattr(self, "convShortcut") else x)

    def forward(self, x):
        x = self.block3(self.block2(self.block1(self.conv1(x))))
        return self.fc(self.bn1(x).relu().mean((2, 3)))


class DenseNet(nn.Module):
    """kuangliu's: a layer's own channels come before those it was given."""

    LAYERS = {121: (6, 12, 24, 16), 161: (6, 12, 36, 24), 169: (6, 12, 32, 32), 201: (6, 12, 48, 32)}

    def __init__(self, depth, growth, classes, channels=3):
        super().__init__()
        inner = 2 * growth
        self.conv1 = conv(channels, inner, 3)
        for s, count in enumerate(self.LAYERS[depth], 1):
            layers = [self.Layer(inner + i * growth, growth) for i in range(count)]
            self.add_module(f"dense{s}", nn.Sequential(*layers))
            inner += count * growth
            if s < 4:
                self.add_module(f"trans{s}", self.Transition(inner))
                inner //= 2
        self.bn = nn.BatchNorm2d(inner)
        self.linear = nn.Linear(inner, classes)

    class Layer(nn.Module):
        def __init__(self, inner, growth):
            super().__init__()
            self.bn1, self.conv1 = nn.BatchNorm2d(inner), conv(inner, 4 * growth, 1)
            self.bn2, self.conv2 = nn.BatchNorm2d(4 * growth), conv(4 * growth, growth, 3)

        def forward(self, x):
            y = self.conv2(self.bn2(self.conv1(self.bn1(x).relu())).relu())
            return torch.cat([y, x], 1)

    class Transition(nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.bn, self.conv = nn.BatchNorm2d(inner), conv(inner, inner // 2, 1)

        def forward(self, x):
            return F.avg_pool2d(self.conv(self.bn(x).relu()), 2)

    def forward(self, x):
        x = self.conv1(x)
        for s in (1, 2, 3):
            x = self.get_submodule(f"trans{s}")(self.get_submodule(f"dense{s}")(x))
        return self.linear(self.bn(self.dense4(x)).relu().mean((2, 3)))


class SmallCnn(nn.Module):
    """That of TRADES, for images of other sizes too."""

    def __init__(self, classes, size=28, channels=1):
        super().__init__()
        side = ((size - 4) // 2 - 4) // 2
        self.feature_extractor, self.classifier = nn.Sequential(), nn.Sequential()
        for i, (inner, outer) in enumerate([(channels, 32), (32, 32), (32, 64), (64, 64)], 1):
            self.feature_extractor.add_module(f"conv{i}", nn.Conv2d(inner, outer, 3))
            self.feature_extractor.add_module(f"relu{i}", nn.ReLU())
            if i % 2 == 0:
                self.feature_extractor.add_module(f"maxpool{i // 2}", nn.MaxPool2d(2))
        self.classifier.add_module("fc1", nn.Linear(64 * side * side, 200))
        self.classifier.add_module("relu1", nn.ReLU())
        self.classifier.add_module("drop", nn.Dropout())
        self.classifier.add_module("fc2", nn.Linear(200, 200))
        self.classifier.add_module("relu2", nn.ReLU())
        self.classifier.add_module("fc3", nn.Linear(200, classes))

    def forward(self, x):
        return self.classifier(self.feature_extractor(x).flatten(1))


def check_counts():
    """The statements above against the published parameter counts."""
    swish = F.silu
    for network, count in [
        (lambda: PreActResNet(18, 64, 10, False, False), 11_171_146),
        (lambda: PreActResNet(18, 64, 10, True, True), 11_172_170),
        (lambda: WideResNet(34, 10, 10, False), 46_160_474),
        (lambda: WideResNet(34, 10, 10, True), 48_262_586),
        (lambda: WideResNet(34, 10, 100, True), 48_320_276),
        (lambda: WideResNet(34, 20, 10, False), 184_531_674),
        (lambda: WideResNet(28, 10, 10, False), 36_479_194),
        (lambda: WideResNet(22, 6, 100, False), 9_693_108),
        (lambda: DeepMindWideResNet(70, 16, 10, swish, CIFAR10), 266_796_506),
        (lambda: DeepMindWideResNet(22, 6, 100, swish, CIFAR10), 9_693_108),
        (lambda: DenseNet(121, 32, 10), 6_956_298),
        (lambda: DenseNet(121, 12, 10), 1_000_618),
    ]:
        with torch.device("meta"):
            found = sum(p.numel() for p in network().parameters())
        assert found == count, (found, count)


@torch.no_grad()
def main():
    check_counts()
    small, grey, large = [2, 3, 32, 32], [2, 1, 28, 28], [2, 3, 64, 64]
    swish = F.silu
    write("kuangliu_resnet50", "width 8", ResNet(50, 8, 20), small)
    for activated in (False, True):
        for bn in (False, True):
            write(
                f"preactresnet18{'_activated' * activated}{'_bn' * bn}",
                f"width 8, bn_before_fc={bn}, out_shortcut={activated}",
                PreActResNet(18, 8, 20, bn, activated),
                large if bn else small,
            )
    write("preactresnet50", "width 8", PreActResNet(50, 8, 20, False, True), small)
    write(
        "dm_preactresnet18",
        "width 8, activation_fn=Swish, CIFAR10_MEAN",
        DeepMindPreActResNet(18, 8, 20, swish, CIFAR10),
        small,
    )
    write(
        "dm_preactresnet18_relu_cifar100",
        "width 8, activation_fn=ReLU, CIFAR100_MEAN",
        DeepMindPreActResNet(18, 8, 100, torch.relu, CIFAR100),
        large,
    )
    write(
        "dm_wrn_10_2_mnist",
        "activation_fn=Swish, mean=.5, padding=2",
        DeepMindWideResNet(10, 2, 10, swish, MNIST, 2, 1),
        grey,
    )
    write("wrn_16_2_sub_block1", "sub_block1=True", WideResNet(16, 2, 200, True), large)
    write("densenet_cifar", "growth 12", DenseNet(121, 12, 10), small)
    write("smallcnn", "28 pixels", SmallCnn(10), grey)
    write("smallcnn_64", "64 pixels, colour", SmallCnn(200, 64, 3), large)


if __name__ == "__main__":
    main()
