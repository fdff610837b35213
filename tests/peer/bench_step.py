#!/usr/bin/env python3
"""A training step in plain PyTorch, as the methods' released scripts write it; for compare.sh.

    python3 tests/peer/bench_step.py resnet18 sa-mdrad --layout channels_last --steps 10

takes 3 steps to warm up (8 with torch.compile) and then --steps that are timed, and prints one line of JSON: seconds of
each, images per second (median), the peak of resident memory, versions. Workloads and methods are
those of tests/peer/recipes with the settings that compare_steps.py gives `bridge bench`: the same
networks, batches, attack, losses and optimiser. The formulas are the papers' (SA-MDRAD: the
reconstruction that the manual describes); nothing is folded, fused or shared that PyTorch does not
do by itself. Images are random and lie in memory, so no loader is waited for. --threads is PyTorch's
own choice where it is left out.
"""
import argparse
import json
import resource
import statistics
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

from bench_networks import ResNet, bundled, colour, scripted

WARM_UP = 3
COMPILED_WARM_UP = 8
LOG_EVERY = 20


class Workload:
    """What compare_steps.py says of the same name, in Python."""

    def __init__(self, name, torchscript):
        small = name == "small"
        self.batch, self.shape = (128, (1, 28, 28)) if small else (64, (3, 32, 32))
        self.epsilon, self.step = (0.1, 0.025) if small else (8 / 255, 2 / 255)
        self.uniform = small
        self.student = ResNet(1, 16, (1, 1, 1), stride=2) if small else colour(name)
        self.teacher = (scripted if torchscript else bundled) if small else colour
        self.three = ("resnet", "vgg", "densenet") if small else ("resnet56", "resnet18", "mobilenetv2")


class Attack:
    """PGD-10 on a network in evaluation mode, as in the TRADES family of scripts."""

    def __init__(self, workload, student):
        self.epsilon, self.step, self.uniform = workload.epsilon, workload.step, workload.uniform
        self.student = student

    def __call__(self, x, objective):
        self.student.eval()
        noise = (torch.empty_like(x).uniform_(-self.epsilon, self.epsilon) if self.uniform
                 else 0.001 * torch.randn_like(x))
        adversarial = x.detach() + noise
        for _ in range(10):
            adversarial.requires_grad_()
            with torch.enable_grad():
                loss = objective(adversarial)
            grad = torch.autograd.grad(loss, [adversarial])[0]
            adversarial = adversarial.detach() + self.step * torch.sign(grad.detach())
            adversarial = torch.min(torch.max(adversarial, x - self.epsilon), x + self.epsilon)
            adversarial = torch.clamp(adversarial, 0.0, 1.0)
        self.student.train()
        return adversarial.detach()


class PgdAt:
    TEACHERS = 0

    def __init__(self, student, teachers, attack, features):
        self.student, self.attack = student, attack

    def loss(self, x, y):
        adversarial = self.attack(x, lambda u: F.cross_entropy(self.student(u), y))
        return F.cross_entropy(self.student(adversarial), y)


class Mtard:
    """Zhao et al. 2022; weights follow how far each term has fallen since the first batch."""

    TEACHERS = 2

    def __init__(self, student, teachers, attack, features):
        self.student, self.attack = student, attack
        self.clean, self.robust = teachers
        self.first, self.weight = None, 0.5

    @staticmethod
    def divergence(student, teacher):
        target = F.softmax(teacher, 1)
        return (target * (torch.log(target + 1e-5) - F.log_softmax(student, 1))).mean()

    def loss(self, x, y):
        adversarial = self.attack(x, lambda u: F.cross_entropy(self.student(u), y))
        s_adv = self.student(adversarial)
        s_nat = self.student(x)
        with torch.no_grad():
            t_adv, t_nat = self.robust(adversarial), self.clean(x)
        adv, nat = self.divergence(s_adv, t_adv), self.divergence(s_nat, t_nat)
        values = adv.item(), nat.item()
        if self.first is None:
            self.first = values
        fallen = [now / then for now, then in zip(values, self.first)]
        self.weight += 0.025 * (fallen[1] / sum(fallen) - self.weight)
        return (1 - self.weight) * adv + self.weight * nat


class AdaAd:
    """Huang et al. 2023, alpha 1: the released code runs both networks on x all the same."""

    TEACHERS = 1
    ALPHA = 1.0

    def __init__(self, student, teachers, attack, features):
        self.student, self.attack, (self.teacher,) = student, attack, teachers

    def loss(self, x, y):
        adversarial = self.attack(x, lambda u: F.kl_div(
            F.log_softmax(self.student(u), 1), F.softmax(self.teacher(u), 1), reduction="sum"))
        nat = self.student(x)
        adv = self.student(adversarial)
        with torch.no_grad():
            t_adv, t_nat = self.teacher(adversarial), self.teacher(x)
        near = F.kl_div(F.log_softmax(adv, 1), F.softmax(t_adv, 1))
        clean = F.kl_div(F.log_softmax(nat, 1), F.softmax(t_nat, 1))
        return self.ALPHA * near + (1 - self.ALPHA) * clean


class SaMdrad(nn.Module):
    """The reconstruction with its defaults: SWAP, CAMKD, PROB, features by linear heads."""

    TEACHERS = 3

    def __init__(self, student, teachers, attack, features):
        super().__init__()
        self.student, self.attack, self.teachers = [student], attack, list(teachers)
        self.with_features, self.taps, self.heads = features, {}, nn.ModuleList()

    def tap(self, net):
        """Keeps what enters the last linear layer, as a script would with a hook."""
        last = [m for m in net.modules() if isinstance(m, nn.Linear)][-1]
        last.register_forward_pre_hook(
            lambda module, inputs: self.taps.__setitem__(id(net), inputs[0]))
        return last.in_features

    def prepare(self):
        if self.with_features:
            width = self.tap(self.student[0])
            self.heads.extend(nn.Linear(width, self.tap(t)) for t in self.teachers)

    def ask(self, x):
        with torch.no_grad():
            return [(t(x), self.taps.get(id(t))) for t in self.teachers]

    @staticmethod
    def swap(z, y):
        y = y[:, None]
        top = z.argmax(1, keepdim=True)
        return z.scatter(1, top, z.gather(1, y)).scatter(1, y, z.gather(1, top))

    def fused(self, logits, y):
        ce = torch.stack([F.cross_entropy(z, y, reduction="none") for z in logits], 1)
        weights = (1 - F.softmax(ce, 1)) / (len(logits) - 1)
        target = sum(weights[:, k:k + 1] * F.softmax(self.swap(z, y), 1)
                     for k, z in enumerate(logits))
        return weights, target

    def distance(self, feature, weights, targets):
        return sum((weights[:, k] * (head(feature) - h).pow(2).mean(1)).mean()
                   for k, (head, h) in enumerate(zip(self.heads, targets)))

    def loss(self, x, y):
        student = self.student[0]
        clean = self.ask(x)
        adversarial = self.attack(x, lambda u: F.cross_entropy(student(u), y))
        near = self.ask(adversarial)
        w_adv, q_adv = self.fused([z for z, _ in near], y)
        w_nat, q_nat = self.fused([z for z, _ in clean], y)
        s_adv = student(adversarial)
        g_adv = self.taps.get(id(student))
        s_nat = student(x)
        g_nat = self.taps.get(id(student))
        loss = (5 / 6 * F.kl_div(F.log_softmax(s_adv, 1), q_adv, reduction="batchmean")
                + 1 / 6 * F.kl_div(F.log_softmax(s_nat, 1), q_nat, reduction="batchmean")
                + F.cross_entropy(s_adv, y))
        if self.with_features:
            targets = [h for _, h in clean]
            loss = loss + 0.5 * self.distance(g_adv, w_adv, targets) \
                + 0.5 * self.distance(g_nat, w_nat, targets)
        return loss


METHODS = {"pgd-at": PgdAt, "mtard": Mtard, "ada-ad": AdaAd, "sa-mdrad": SaMdrad}
TEACHERS = {0: (), 1: (1,), 2: (0, 1), 3: (0, 1, 2)}


def build(args):
    torch.manual_seed(1)
    work = Workload(args.workload, args.torchscript)
    kind = METHODS[args.method]
    teachers = [work.teacher(work.three[i]) for i in TEACHERS[kind.TEACHERS]]
    for teacher in teachers:
        teacher.eval()
        for parameter in teacher.parameters():
            parameter.requires_grad_(False)
    method = kind(work.student, teachers, None, not args.no_features)
    if isinstance(method, SaMdrad):
        method.prepare()
    parameters = list(work.student.parameters())
    parameters += list(method.heads.parameters()) if isinstance(method, SaMdrad) else []
    images = torch.rand(20 * work.batch, *work.shape)
    if args.layout != "nchw":
        work.student.to(memory_format=torch.channels_last)
        for teacher in teachers:
            teacher.to(memory_format=torch.channels_last)
        images = images.contiguous(memory_format=torch.channels_last)
    if args.layout == "compile":
        if isinstance(method, SaMdrad) and method.with_features:
            raise RuntimeError("hooks that keep features do not go with torch.compile; use --no-features")
        student = torch.compile(work.student)
        teachers = [torch.compile(t) for t in teachers]
        method = kind(student, teachers, None, False)
    else:
        student = work.student
    method.attack = Attack(work, student)
    labels = torch.randint(10, (len(images),))
    optimizer = torch.optim.SGD(parameters, lr=0.01, momentum=0.9, weight_decay=2e-4)
    student.train()
    return work, method, optimizer, images, labels


def steps(args):
    work, method, optimizer, images, labels = build(args)
    seconds, order = [], None
    warm_up = COMPILED_WARM_UP if args.layout == "compile" else WARM_UP
    for i in range(warm_up + args.steps):
        at = i % (len(images) // work.batch)
        order = torch.randperm(len(images)) if at == 0 else order
        begin = time.perf_counter()
        rows = order[at * work.batch:(at + 1) * work.batch]
        x, y = images[rows], labels[rows]
        if args.layout != "nchw":
            x = x.contiguous(memory_format=torch.channels_last)
        loss = method.loss(x, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if i % LOG_EVERY == LOG_EVERY - 1:
            loss.item()
        seconds.append(time.perf_counter() - begin)
    return work.batch, seconds[warm_up:]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("workload", choices=("resnet18", "mobilenetv2", "small"))
    parser.add_argument("method", choices=sorted(METHODS))
    parser.add_argument("--layout", choices=("nchw", "channels_last", "compile"), default="nchw")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--no-features", action="store_true", help="sa-mdrad without feature terms")
    parser.add_argument("--torchscript", action="store_true",
                        help="the small student's teachers as models/*.pt; needs --no-features")
    args = parser.parse_args()
    if args.torchscript and args.method == "sa-mdrad" and not args.no_features:
        parser.error("--torchscript gives no features to a script; add --no-features")
    if args.threads:
        torch.set_num_threads(args.threads)
    batch, seconds = steps(args)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({
        "torch": torch.__version__, "threads": torch.get_num_threads(), "layout": args.layout,
        "batch": batch, "seconds": seconds,
        "images_per_second": statistics.median(batch / s for s in seconds),
        "peak_resident_bytes": peak}))


if __name__ == "__main__":
    main()
