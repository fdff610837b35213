#!/usr/bin/env python3
"""Makes golden files of networks for tests/golden/architectures: names, shapes, logits and stage
statistics for weights and images that a formula fills. Every network is stated here once, in plain
PyTorch, from its paper and the names its public code gives; most are narrow, so that the files and
the test stay small. Needs torch and numpy; the files say which versions made them.

    python3 tests/peer/make_architectures_b.py
"""

import json
import math
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

TARGET = Path(__file__).resolve().parents[1] / "golden/architectures"


def eights(wanted):
    """The nearest multiple of 8 that is not below nine tenths."""
    near = max(8, int(wanted + 4) // 8 * 8)
    return near + 8 if near < 0.9 * wanted else near


class MobileNetV2(nn.Module):
    """chenyaofo's, after torchvision's; CIFAR strides."""

    def __init__(self, width, classes, channels=3):
        super().__init__()
        inner = eights(32 * width)
        steps = [self.step(channels, inner, 3, 1, 1)]
        for t, c, n, s in [
            (1, 16, 1, 1),
            (6, 24, 2, 1),
            (6, 32, 3, 2),
            (6, 64, 4, 2),
            (6, 96, 3, 1),
            (6, 160, 3, 2),
            (6, 320, 1, 1),
        ]:
            for block in range(n):
                outer = eights(c * width)
                steps.append(self.Block(inner, outer, t, s if block == 0 else 1))
                inner = outer
        last = eights(1280 * max(1.0, width))
        steps.append(self.step(inner, last, 1, 1, 1))
        self.features = nn.Sequential(*steps)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(last, classes))

    @staticmethod
    def step(inner, outer, kernel, stride, groups):
        return nn.Sequential(
            nn.Conv2d(inner, outer, kernel, stride, kernel // 2, groups=groups, bias=False),
            nn.BatchNorm2d(outer),
            nn.ReLU6(),
        )

    class Block(nn.Module):
        def __init__(self, inner, outer, expansion, stride):
            super().__init__()
            wide = inner * expansion
            widen = [MobileNetV2.step(inner, wide, 1, 1, 1)] if expansion > 1 else []
            self.conv = nn.Sequential(
                *widen,
                MobileNetV2.step(wide, wide, 3, stride, wide),
                nn.Conv2d(wide, outer, 1, bias=False),
                nn.BatchNorm2d(outer),
            )
            self.residual = stride == 1 and inner == outer

        def forward(self, x):
            return x + self.conv(x) if self.residual else self.conv(x)

    def forward(self, x):
        return self.classifier(self.features(x).mean((2, 3)))


VGG = {
    11: (1, 1, 2, 2, 2),
    13: (2, 2, 2, 2, 2),
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}


class Vgg(nn.Module):
    """chenyaofo's with three linear layers, or kuangliu's with one."""

    def __init__(self, depth, width, classes, chenyaofo, channels=3):
        super().__init__()
        steps, inner = [], channels
        for stage, count in enumerate(VGG[depth]):
            outer = int(min(64 * 2**stage, 512) * width)
            for _ in range(count):
                steps += [
                    nn.Conv2d(inner, outer, 3, padding=1),
                    nn.BatchNorm2d(outer),
                    nn.ReLU(),
                ]
                inner = outer
            steps.append(nn.MaxPool2d(2))
        if not chenyaofo:
            steps.append(nn.AvgPool2d(1, 1))
        self.features = nn.Sequential(*steps)
        head = nn.Linear(inner, classes)
        if chenyaofo:
            hidden = [nn.Linear(inner, inner), nn.ReLU(), nn.Dropout()]
            more = [nn.Linear(inner, inner), nn.ReLU(), nn.Dropout()]
            head = nn.Sequential(*hidden, *more, head)
        self.classifier = head

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))


SHUFFLE = {
    0.5: (48, 96, 192, 1024),
    1: (116, 232, 464, 1024),
    1.5: (176, 352, 704, 1024),
}


def shuffle(a, b):
    """Their channels alternately."""
    both = torch.cat([a, b], 1)
    n, c, h, w = both.shape
    return both.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)


class ShuffleNetV2(nn.Module):
    """chenyaofo's, after torchvision's; stem of stride 1 without pooling."""

    def __init__(self, width, classes):
        super().__init__()
        widths = SHUFFLE.get(width, (244, 488, 976, 2048))
        self.conv1 = nn.Sequential(
            nn.Conv2d(3, 24, 3, 1, 1, bias=False), nn.BatchNorm2d(24), nn.ReLU()
        )
        inner = 24
        for number, outer, count in zip((2, 3, 4), widths, (4, 8, 4)):
            blocks = [self.Block(inner, outer, 2)]
            blocks += [self.Block(outer, outer, 1) for _ in range(count - 1)]
            self.add_module(f"stage{number}", nn.Sequential(*blocks))
            inner = outer
        last = widths[-1]
        self.conv5 = nn.Sequential(
            nn.Conv2d(inner, last, 1, bias=False), nn.BatchNorm2d(last), nn.ReLU()
        )
        self.fc = nn.Linear(last, classes)

    class Block(nn.Module):
        def __init__(self, inner, outer, stride):
            super().__init__()
            self.split = stride == 1
            half = outer // 2
            self.branch1 = nn.Sequential()
            if not self.split:
                self.branch1 = nn.Sequential(
                    nn.Conv2d(inner, inner, 3, 2, 1, groups=inner, bias=False),
                    nn.BatchNorm2d(inner),
                    nn.Conv2d(inner, half, 1, bias=False),
                    nn.BatchNorm2d(half),
                    nn.ReLU(),
                )
            self.branch2 = nn.Sequential(
                nn.Conv2d(half if self.split else inner, half, 1, bias=False),
                nn.BatchNorm2d(half),
                nn.ReLU(),
                nn.Conv2d(half, half, 3, stride, 1, groups=half, bias=False),
                nn.BatchNorm2d(half),
                nn.Conv2d(half, half, 1, bias=False),
                nn.BatchNorm2d(half),
                nn.ReLU(),
            )

        def forward(self, x):
            a, b = x.chunk(2, 1) if self.split else (x, x)
            return shuffle(self.branch1(a), self.branch2(b))

    def forward(self, x):
        x = self.stage4(self.stage3(self.stage2(self.conv1(x))))
        return self.fc(self.conv5(x).mean((2, 3)))


class ShuffleNetV2Kuangliu(nn.Module):
    """kuangliu's, for any classes."""

    def __init__(self, width, classes):
        super().__init__()
        widths = SHUFFLE.get(width, (224, 488, 976, 2048))
        self.conv1 = nn.Conv2d(3, 24, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(24)
        inner = 24
        for number, outer, count in zip((1, 2, 3), widths, (4, 8, 4)):
            blocks = [self.Down(inner, outer)] + [self.Basic(outer) for _ in range(count - 1)]
            self.add_module(f"layer{number}", nn.Sequential(*blocks))
            inner = outer
        self.conv2 = nn.Conv2d(inner, widths[-1], 1, bias=False)
        self.bn2 = nn.BatchNorm2d(widths[-1])
        self.linear = nn.Linear(widths[-1], classes)

    class Basic(nn.Module):
        def __init__(self, channels):
            super().__init__()
            n = channels // 2
            self.conv1, self.bn1 = nn.Conv2d(n, n, 1, bias=False), nn.BatchNorm2d(n)
            self.conv2 = nn.Conv2d(n, n, 3, 1, 1, groups=n, bias=False)
            self.bn2 = nn.BatchNorm2d(n)
            self.conv3, self.bn3 = nn.Conv2d(n, n, 1, bias=False), nn.BatchNorm2d(n)

        def forward(self, x):
            a, b = x.chunk(2, 1)
            b = self.bn1(self.conv1(b)).relu()
            b = self.bn2(self.conv2(b))
            return shuffle(a, self.bn3(self.conv3(b)).relu())

    class Down(nn.Module):
        def __init__(self, inner, outer):
            super().__init__()
            n = outer // 2
            self.conv1 = nn.Conv2d(inner, inner, 3, 2, 1, groups=inner, bias=False)
            self.bn1 = nn.BatchNorm2d(inner)
            self.conv2, self.bn2 = nn.Conv2d(inner, n, 1, bias=False), nn.BatchNorm2d(n)
            self.conv3, self.bn3 = nn.Conv2d(inner, n, 1, bias=False), nn.BatchNorm2d(n)
            self.conv4 = nn.Conv2d(n, n, 3, 2, 1, groups=n, bias=False)
            self.bn4 = nn.BatchNorm2d(n)
            self.conv5, self.bn5 = nn.Conv2d(n, n, 1, bias=False), nn.BatchNorm2d(n)

        def forward(self, x):
            a = self.bn2(self.conv2(self.bn1(self.conv1(x)))).relu()
            b = self.bn4(self.conv4(self.bn3(self.conv3(x)).relu()))
            return shuffle(a, self.bn5(self.conv5(b)).relu())

    def forward(self, x):
        x = self.layer3(self.layer2(self.layer1(self.bn1(self.conv1(x)).relu())))
        return self.linear(self.bn2(self.conv2(x)).relu().mean((2, 3)))


class RepVgg(nn.Module):
    """chenyaofo's; strides 1, 1, 2, 2, 2."""

    FACTORS = {"a0": (0.75, 2.5), "a1": (1, 2.5), "a2": (1.5, 2.75)}

    def __init__(self, kind, classes, width=1.0, deploy=False, channels=3):
        super().__init__()
        a, b = (f * width for f in self.FACTORS[kind])
        first = int(64 * a)
        inner = min(64, first)
        self.stage0 = self.Block(channels, inner, 1, deploy)
        stages = [
            (first, 2, 1),
            (int(128 * a), 4, 2),
            (int(256 * a), 14, 2),
            (int(512 * b), 1, 2),
        ]
        for number, (outer, count, stride) in enumerate(stages, 1):
            blocks = []
            for block in range(count):
                blocks.append(self.Block(inner, outer, stride if block == 0 else 1, deploy))
                inner = outer
            self.add_module(f"stage{number}", nn.Sequential(*blocks))
        self.gap = nn.AdaptiveAvgPool2d(1)
        self.linear = nn.Linear(inner, classes)

    class Block(nn.Module):
        def __init__(self, inner, outer, stride, deploy):
            super().__init__()
            self.deploy = deploy
            if deploy:
                self.rbr_reparam = nn.Conv2d(inner, outer, 3, stride, 1)
                return
            same = inner == outer and stride == 1
            self.rbr_identity = nn.BatchNorm2d(inner) if same else None
            self.rbr_dense = self.branch(inner, outer, 3, stride)
            self.rbr_1x1 = self.branch(inner, outer, 1, stride)

        @staticmethod
        def branch(inner, outer, kernel, stride):
            branch = nn.Sequential()
            branch.add_module(
                "conv", nn.Conv2d(inner, outer, kernel, stride, kernel // 2, bias=False)
            )
            branch.add_module("bn", nn.BatchNorm2d(outer))
            return branch

        def forward(self, x):
            if self.deploy:
                return self.rbr_reparam(x).relu()
            y = self.rbr_dense(x) + self.rbr_1x1(x)
            return (y if self.rbr_identity is None else y + self.rbr_identity(x)).relu()

    def forward(self, x):
        for stage in (self.stage0, self.stage1, self.stage2, self.stage3, self.stage4):
            x = stage(x)
        return self.linear(self.gap(x).flatten(1))


class Vit(nn.Module):
    """jeonsworld's names."""

    def __init__(
        self,
        classes,
        image,
        patch=16,
        depth=12,
        width=768,
        heads=12,
        mlp=3072,
        channels=3,
    ):
        super().__init__()
        self.transformer = nn.Module()
        self.transformer.embeddings = self.Embeddings(image // patch, patch, width, channels)
        encoder = nn.Module()
        encoder.layer = nn.ModuleList(self.Block(width, heads, mlp) for _ in range(depth))
        encoder.encoder_norm = nn.LayerNorm(width, eps=1e-6)
        self.transformer.encoder = encoder
        self.head = nn.Linear(width, classes)

    class Embeddings(nn.Module):
        def __init__(self, side, patch, width, channels):
            super().__init__()
            self.position_embeddings = nn.Parameter(torch.zeros(1, side * side + 1, width))
            self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
            self.patch_embeddings = nn.Conv2d(channels, width, patch, patch)

        def forward(self, x):
            patches = self.patch_embeddings(x).flatten(2).mT
            return (
                torch.cat([self.cls_token.expand(len(x), -1, -1), patches], 1)
                + self.position_embeddings
            )

    class Block(nn.Module):
        def __init__(self, width, heads, mlp):
            super().__init__()
            self.heads = heads
            self.attention_norm = nn.LayerNorm(width, eps=1e-6)
            self.ffn_norm = nn.LayerNorm(width, eps=1e-6)
            self.ffn = nn.Module()
            self.ffn.fc1, self.ffn.fc2 = nn.Linear(width, mlp), nn.Linear(mlp, width)
            self.attn = nn.Module()
            for name in ("query", "key", "value", "out"):
                self.attn.add_module(name, nn.Linear(width, width))

        def attend(self, x):
            n, t, d = x.shape
            q, k, v = (
                layer(x).view(n, t, self.heads, d // self.heads).transpose(1, 2)
                for layer in (self.attn.query, self.attn.key, self.attn.value)
            )
            weights = (q @ k.mT / math.sqrt(d // self.heads)).softmax(-1)
            return self.attn.out((weights @ v).transpose(1, 2).reshape(n, t, d))

        def forward(self, x):
            x = x + self.attend(self.attention_norm(x))
            hidden = nn.functional.gelu(self.ffn.fc1(self.ffn_norm(x)))
            return x + self.ffn.fc2(hidden)

    def forward(self, x):
        x = self.transformer.embeddings(x)
        for block in self.transformer.encoder.layer:
            x = block(x)
        return self.head(self.transformer.encoder.encoder_norm(x)[:, 0])


def unit(count, k):
    """Numbers in [0, 1) from a place's number and a tensor's, by 64-bit arithmetic."""
    mask = 2**64 - 1
    start = np.uint64((k * 0x9E3779B97F4A7C15 + 0x632BE59BD9B4E019) & mask)
    z = np.arange(count, dtype=np.uint64) + start
    z = (z ^ z >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ z >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    z = z ^ z >> np.uint64(31)
    return (z >> np.uint64(11)).astype(np.float64) * 2.0**-53


def rule(network, key):
    owner, name = key.rpartition(".")[::2]
    module = network.get_submodule(owner)
    if name in ("running_mean", "running_var", "num_batches_tracked"):
        return name
    if isinstance(module, nn.BatchNorm2d):
        return "bn_" + name
    if isinstance(module, (nn.Conv2d, nn.Linear)):
        return name
    return "other"


def values(kind, shape, k, fan_in):
    count = math.prod(shape)
    u = 2 * unit(count, k) - 1
    filled = {
        "weight": lambda: u * math.sqrt(4.5 / fan_in),
        "bias": lambda: 0.1 * u,
        "bn_bias": lambda: 0.1 * u,
        "running_mean": lambda: 0.1 * u,
        "bn_weight": lambda: 1 + 0.2 * u,
        "running_var": lambda: 1 + 0.5 * u,
        "num_batches_tracked": lambda: np.zeros(count),
        "other": lambda: 0.5 + 0.5 * u,
    }[kind]()
    return torch.from_numpy(filled.reshape(shape)).float()


def fill(network):
    entries = []
    for k, (key, tensor) in enumerate(network.state_dict().items()):
        kind, shape = rule(network, key), list(tensor.shape)
        fan_in = tensor.numel() // shape[0] if kind == "weight" else None
        tensor.copy_(values(kind, shape, k, fan_in))
        entry = {"key": key, "shape": shape, "fill": kind}
        entries.append(entry if fan_in is None else entry | {"fan_in": fan_in})
    return entries


def stages(network, images):
    seen = []
    for name, child in network.named_children():

        def note(_, __, y, name=name):
            seen.append(
                {
                    "module": name,
                    "shape": list(y.shape),
                    "mean": y.double().mean().item(),
                    "abs_mean": y.double().abs().mean().item(),
                }
            )

        child.register_forward_hook(note)
    return network(images), seen


def write(name, constructor, network, shape):
    network.eval()
    entries = fill(network)
    images = torch.from_numpy(unit(math.prod(shape), 123456789).reshape(shape)).float()
    logits, seen = stages(network, images)
    exact = network.double()(images.double())
    gap = (logits - exact).abs().max().item()
    spread = (logits.max() - logits.min()).item()
    golden = {
        "name": name,
        "source": f"tests/peer/{Path(sys.argv[0]).name}",
        "constructor": constructor,
        "parameter_count": sum(p.numel() for p in network.parameters()),
        "input_shape": shape,
        "logits_B": logits.tolist(),
        "stage_statistics_B": seen,
        "measured_B": {
            "max_abs_diff_float32_vs_float64": gap,
            "logit_spread": spread,
            "difference_between_the_two_images": (logits[0] - logits[1]).abs().max().item(),
        },
        "tolerance": {"logits_abs_B": max(20 * gap, 1e-5 * spread, 1e-5)},
        "environment": {"torch": torch.__version__, "numpy": np.__version__},
        "state_dict": entries,
    }
    text = json.dumps(golden, separators=(",", ":")).replace('{"key"', '\n{"key"')
    (TARGET / f"{name}.json").write_text(text + "\n")
    print(f"{name}: {len(text)} bytes, spread {spread:.3g}, float32 off by {gap:.2g}")


def check_counts():
    """The statements above against the published parameter counts."""
    with torch.device("meta"):
        for network, count in [
            (MobileNetV2(1, 10), 2_236_682),
            (Vgg(11, 1, 10, True), 9_756_426),
            (Vgg(16, 1, 10, True), 15_253_578),
            (Vgg(19, 1, 10, True), 20_565_834),
            (Vgg(16, 1, 10, False), 14_728_266),
            (ShuffleNetV2(0.5, 10), 352_042),
            (ShuffleNetV2(1, 10), 1_263_854),
            (ShuffleNetV2(1.5, 10), 2_488_874),
            (ShuffleNetV2(2, 10), 5_365_486),
            (ShuffleNetV2Kuangliu(1.5, 10), 2_488_874),
            (RepVgg("a0", 10), 7_840_874),
            (RepVgg("a1", 10), 12_824_202),
            (RepVgg("a2", 10), 26_815_690),
            (Vit(10, 224), 85_806_346),
        ]:
            found = sum(p.numel() for p in network.parameters())
            assert found == count, (type(network).__name__, found, count)


@torch.no_grad()
def main():
    check_counts()
    small, grey = [2, 3, 32, 32], [2, 1, 32, 32]
    write("chenyaofo_mobilenetv2_x0_35", "width 0.35", MobileNetV2(0.35, 100), small)
    write("chenyaofo_vgg19_bn", "width 0.125", Vgg(19, 0.125, 100, True), small)
    write("kuangliu_vgg11", "width 0.25, grey", Vgg(11, 0.25, 20, False, 1), grey)
    write("chenyaofo_shufflenetv2_x0_5", "width 0.5", ShuffleNetV2(0.5, 100), small)
    write("kuangliu_shufflenetv2_x1_0", "width 1", ShuffleNetV2Kuangliu(1, 10), small)
    write("repvgg_a2", "width 0.125, training form", RepVgg("a2", 100, 0.125), small)
    write(
        "repvgg_a1_deploy",
        "width 0.125, deploy form, grey images of 28 pixels",
        RepVgg("a1", 10, 0.125, True, 1),
        [2, 1, 28, 28],
    )
    write(
        "vit_small",
        "image 32, patch 4, depth 2, width 128, 2 heads, mlp 192, grey",
        Vit(20, 32, 4, 2, 128, 2, 192, 1),
        grey,
    )


if __name__ == "__main__":
    main()
