#!/usr/bin/env python3
"""Train the three Fashion-MNIST teachers of this folder.

    python3 models/train_teachers.py --data /usr/share/datasets/fashion-mnist --out models

Standard training on the 60,000 clean training images, no adversarial examples.
The networks take images in [0, 1]; the normalisation is their first step. The
weights of the last epoch are kept; the test images are read once, at the end.
"""
import argparse
import gzip
import os
import sys
import time

import numpy as np
import torch
from torch import nn
import torch.nn.functional as F

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from export_teacher import count_macs, count_parameters, save_scripted, sha256, survey, write_card

MEAN, STD = 0.2860, 0.3530      # of the 60,000 training images


# --- the networks -------------------------------------------------------------

class Teacher(nn.Module):
    """Holds the normalisation, so that every network eats [0, 1] images."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.full((1, 1, 1, 1), MEAN))
        self.register_buffer("std", torch.full((1, 1, 1, 1), STD))


class ResidualBlock(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        if stride == 1 and inputs == outputs:
            self.shortcut = nn.Identity()
        else:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False),
                                          nn.BatchNorm2d(outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


class ResNet(Teacher):
    """28x28 -> 14x14 at once, then residual stages of 16, 32 and 64 channels."""

    def __init__(self, widths=(16, 32, 64), blocks=(2, 2, 1), classes=10):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, widths[0], 3, 2, 1, bias=False),
                                  nn.BatchNorm2d(widths[0]), nn.ReLU())
        self.layer1 = self.stage(widths[0], widths[0], blocks[0], 1)
        self.layer2 = self.stage(widths[0], widths[1], blocks[1], 2)
        self.layer3 = self.stage(widths[1], widths[2], blocks[2], 2)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten(1)
        self.fc = nn.Linear(widths[2], classes)

    @staticmethod
    def stage(inputs, outputs, blocks, stride):
        first = [ResidualBlock(inputs, outputs, stride)]
        return nn.Sequential(*first, *[ResidualBlock(outputs, outputs, 1) for _ in range(blocks - 1)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem((x - self.mean) / self.std)
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(self.flatten(self.pool(x)))


class VGG(Teacher):
    """Plain 3x3 convolutions with batch normalisation and max pooling."""

    def __init__(self, plan=(16, "M", 32, "M", 64, 64, "M", 96), classes=10):
        super().__init__()
        layers, width = [], 1
        for step in plan:
            if step == "M":
                layers.append(nn.MaxPool2d(2))
            else:
                layers += [nn.Conv2d(width, step, 3, padding=1, bias=False), nn.BatchNorm2d(step), nn.ReLU()]
                width = step
        self.features = nn.Sequential(*layers)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten(1)
        self.classifier = nn.Linear(width, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.features((x - self.mean) / self.std)
        return self.classifier(self.flatten(self.pool(x)))


class DenseLayer(nn.Module):
    """Adds `growth` channels to those it was given."""

    def __init__(self, inputs, growth):
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, 2 * growth, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(2 * growth)
        self.conv2 = nn.Conv2d(2 * growth, growth, 3, padding=1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv1(F.relu(self.bn1(x)))
        y = self.conv2(F.relu(self.bn2(y)))
        return torch.cat([x, y], 1)


class DenseNet(Teacher):
    """Three densely connected blocks at 14x14, 7x7 and 3x3."""

    def __init__(self, stem=24, growth=(12, 16, 24), layers=(3, 4, 4), classes=10):
        super().__init__()
        self.stem = nn.Conv2d(1, stem, 3, 2, 1, bias=False)
        width, blocks, transitions = stem, [], []
        for g, n in zip(growth, layers):
            if blocks:
                transitions.append(nn.Sequential(nn.BatchNorm2d(width), nn.ReLU(),
                                                 nn.Conv2d(width, width // 2, 1, bias=False),
                                                 nn.AvgPool2d(2)))
                width //= 2
            blocks.append(nn.Sequential(*[DenseLayer(width + i * g, g) for i in range(n)]))
            width += n * g
        self.block1, self.block2, self.block3 = blocks
        self.transition1, self.transition2 = transitions
        self.norm = nn.Sequential(nn.BatchNorm2d(width), nn.ReLU())
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten(1)
        self.classifier = nn.Linear(width, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem((x - self.mean) / self.std)
        x = self.transition1(self.block1(x))
        x = self.transition2(self.block2(x))
        x = self.norm(self.block3(x))
        return self.classifier(self.flatten(self.pool(x)))


TEACHERS = {
    "fmnist-resnet": (ResNet, 0.20, "Residual network (post-activation), stem of stride 2, stages of "
                                    "16, 32 and 64 channels with 2, 2 and 1 blocks."),
    "fmnist-vgg": (VGG, 0.10, "Plain VGG-style network with batch normalisation: 3x3 convolutions of "
                              "16, 32, 64, 64 and 96 channels, max pooling between the stages."),
    "fmnist-densenet": (DenseNet, 0.20, "Densely connected network (pre-activation, bottlenecks), stem of "
                                        "stride 2, blocks of 3, 4 and 4 layers with growth 12, 16 and 24."),
}


# --- data -----------------------------------------------------------------------

def read_idx(path):
    with gzip.open(path, "rb") as f:
        data = f.read()
    shape = [int.from_bytes(data[4 + 4 * i:8 + 4 * i], "big") for i in range(data[3])]
    return torch.from_numpy(np.frombuffer(data, np.uint8, offset=4 + 4 * data[3]).reshape(shape).copy())


def load(folder, split):
    return (read_idx(os.path.join(folder, f"{split}-images-idx3-ubyte.gz")),
            read_idx(os.path.join(folder, f"{split}-labels-idx1-ubyte.gz")).long())


def augment(images, generator, pad=2):
    """Random crop after padding and horizontal flip, each image its own; uint8 in, [0, 1] out."""
    n, h, w = images.shape
    padded = F.pad(images, (pad, pad, pad, pad))
    rows = torch.randint(0, 2 * pad + 1, (n, 1), generator=generator) + torch.arange(h)
    columns = torch.randint(0, 2 * pad + 1, (n, 1), generator=generator) + torch.arange(w)
    flip = torch.rand(n, 1, generator=generator) < 0.5
    columns = torch.where(flip, columns.flip(1), columns)
    which = torch.arange(n)[:, None, None]
    return padded[which, rows[:, :, None], columns[:, None, :]].unsqueeze(1).float() / 255


# --- training ---------------------------------------------------------------------

def train(net, images, labels, epochs, peak, seed, batch=128):
    generator = torch.Generator().manual_seed(seed)
    net = net.to(memory_format=torch.channels_last).train()
    decay = [p for p in net.parameters() if p.dim() > 1]
    rest = [p for p in net.parameters() if p.dim() <= 1]
    optimiser = torch.optim.SGD([{"params": decay, "weight_decay": 5e-4},
                                 {"params": rest, "weight_decay": 0.0}],
                                lr=peak, momentum=0.9, nesterov=True)
    per_epoch = len(images) // batch
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, peak, total_steps=epochs * per_epoch,
                                                   pct_start=0.2, cycle_momentum=False)
    for epoch in range(epochs):
        started, total, right = time.time(), 0.0, 0
        order = torch.randperm(len(images), generator=generator)
        for i in range(per_epoch):
            pick = order[i * batch:(i + 1) * batch]
            x = augment(images[pick], generator).contiguous(memory_format=torch.channels_last)
            y = labels[pick]
            logits = net(x)
            loss = F.cross_entropy(logits, y)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            total += loss.item()
            right += (logits.argmax(1) == y).sum().item()
        print(f"  epoch {epoch + 1}/{epochs}  loss {total / per_epoch:.4f}  "
              f"train accuracy {right / (per_epoch * batch):.4f}  {time.time() - started:.1f} s", flush=True)
    return net.eval().to(memory_format=torch.contiguous_format)


def test_accuracy(path, images, labels):
    """Of the file as it was written, loaded again."""
    net = torch.jit.load(path, map_location="cpu").eval()
    right = 0
    with torch.no_grad():
        for i in range(0, len(images), 500):
            x = images[i:i + 500].unsqueeze(1).float() / 255
            right += (net(x).argmax(1) == labels[i:i + 500]).sum().item()
    return right / len(images)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--data", default="/usr/share/datasets/fashion-mnist", help="folder of the four IDX .gz files")
    p.add_argument("--out", default="models")
    p.add_argument("--epochs", type=int, default=10)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--only", choices=TEACHERS, help="train this one alone; each starts from the seed anew")
    args = p.parse_args()
    torch.set_num_threads(args.threads)
    os.makedirs(args.out, exist_ok=True)
    train_images, train_labels = load(args.data, "train")
    test_images, test_labels = load(args.data, "t10k")

    for name in [args.only] if args.only else TEACHERS:
        build, peak, sentence = TEACHERS[name]
        torch.manual_seed(args.seed)
        net = build()
        example = torch.zeros(1, 1, 28, 28)
        macs = count_macs(net.eval(), example)
        print(f"{name}: {count_parameters(net)} parameters, {macs / 1e6:.2f} M multiply-adds", flush=True)
        started = time.time()
        net = train(net, train_images, train_labels, args.epochs, peak, args.seed)
        seconds = time.time() - started

        for parameter in net.parameters():
            parameter.requires_grad_(False)
        script, state = f"{name}.pt", f"{name}.pth"
        save_scripted(torch.jit.script(net), os.path.join(args.out, script))
        torch.save({k: v.detach().clone(memory_format=torch.contiguous_format)
                    for k, v in net.state_dict().items()}, os.path.join(args.out, state))
        accuracy = test_accuracy(os.path.join(args.out, script), test_images, test_labels)
        channels = next(r[2][1] for r in survey(net, example) if r[0] == "flatten")
        write_card({
            "name": name,
            "architecture": sentence,
            "file": script,
            "state_dict": state,
            "data": "fashion-mnist",
            "channels": 1,
            "classes": 10,
            "image_size": 28,
            "parameters": count_parameters(net),
            "macs": macs,
            "normalisation": {"mean": [MEAN], "std": [STD], "where": "inside the network"},
            "feature": {"module": "flatten", "channels": channels},
            "accuracy": {"clean_test": accuracy, "images": len(test_images)},
            "sha256": {f: sha256(os.path.join(args.out, f)) for f in (script, state)},
            "made": {
                "script": "models/train_teachers.py",
                "command": f"python3 models/train_teachers.py --data {args.data} --out {args.out} "
                           f"--epochs {args.epochs} --seed {args.seed} --threads {args.threads}"
                           + (f" --only {name}" if args.only else ""),
                "seed": args.seed,
                "epochs": args.epochs,
                "torch": torch.__version__,
                "hardware": f"{args.threads} cores, CPU",
                "seconds": round(seconds),
            },
        }, os.path.join(args.out, f"{name}.json"))
        print(f"{name}: test accuracy {accuracy:.4f}, {os.path.getsize(os.path.join(args.out, script)) / 1e6:.2f} MB, "
              f"{seconds:.0f} s", flush=True)


if __name__ == "__main__":
    main()
