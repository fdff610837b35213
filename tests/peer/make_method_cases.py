#!/usr/bin/env python3
"""Makes tests/golden/trajectories/own_*: thirty optimiser steps of methods whose official code was
not recorded there, stated plainly in PyTorch, on the recordings' student, teachers, batches and
start noise. Same format, fewer tensors. Needs torch and safetensors; the files say which version
made them.

    python3 tests/peer/make_method_cases.py [CASE ...]

Every case is run in float64 and several times in float32: as it is, with the images of each batch in
another order, with first weights moved by one unit in the last place. The float32 tolerance of a
figure is five times the largest distance so far of these runs from the float64 one, and at least
1e-5 of the figure.
"""

import json
import math
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

FOLDER = Path(__file__).resolve().parents[1] / "golden/trajectories"
STEPS = 30
BATCH = 16
CLASSES = 10
EPSILON = 8 / 255
STEP_SIZE = 2 / 255
ATTACK_STEPS = 5
MASK = (1 << 64) - 1

TEN_THRICE = list(range(10)) * 3  # for uniform noise, which is there for eleven batches only
LARGEST = 2000  # numbers of a tensor that is compared at the end; the losses tell of the others


# ---- the recordings' networks ------------------------------------------------------------------


class Student(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(3, 8, 3, 1, 1, bias=False)
        self.bn1 = torch.nn.BatchNorm2d(8)
        self.conv2 = torch.nn.Conv2d(8, 16, 3, 2, 1, bias=False)
        self.bn2 = torch.nn.BatchNorm2d(16)
        self.conv3 = torch.nn.Conv2d(16, 16, 3, 1, 1)
        self.bn3 = torch.nn.BatchNorm2d(16)
        self.fc = torch.nn.Linear(256, CLASSES)

    def forward(self, x):
        x = F.silu(self.bn1(self.conv1(x)))
        x = F.silu(self.bn2(self.conv2(x)))
        x = F.silu(self.bn3(self.conv3(x)) + x)
        return self.fc(F.avg_pool2d(x, 2).flatten(1))


class TeacherAdv(torch.nn.Module):
    def __init__(self):
        super().__init__()
        layers = []
        for into, out, stride in ((3, 16, 1), (16, 32, 2), (32, 48, 2)):
            layers.append(torch.nn.Conv2d(into, out, 3, stride, 1, bias=False))
            layers.append(torch.nn.BatchNorm2d(out))
            layers.append(torch.nn.ReLU())
        self.features = torch.nn.Sequential(*layers)
        self.classifier = torch.nn.Linear(48, CLASSES)

    def forward(self, x):
        return self.classifier(self.features(x).mean((2, 3)))


class TeacherNat(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = torch.nn.Conv2d(3, 20, 5, 2, 2, bias=False)
        self.norm = torch.nn.BatchNorm2d(20)
        self.head = torch.nn.Linear(320, CLASSES)

    def forward(self, x):
        return self.head(F.avg_pool2d(F.relu(self.norm(self.stem(x))), 2).flatten(1))


NETWORKS = {"student_initial": Student, "teacher_adv": TeacherAdv, "teacher_nat": TeacherNat}


class Watched:
    """A network, the outputs of some of its modules, and who saw which input in which mode."""

    def __init__(self, name, file, run):
        self.name = name
        self.run = run
        self.net = NETWORKS[file]()
        self.net.load_state_dict(torch.jit.load(FOLDER / f"{file}_torchscript.pt").state_dict())
        self.net.to(run.dtype)
        self.taps = {}
        for path, module in self.net.named_modules():
            module.register_forward_hook(
                lambda _m, _i, out, path=path: self.taps.__setitem__(path, out)
            )

    def __call__(self, x):
        self.run.note(self.name, self.net.training, x)
        return self.net(x)

    def tapped(self, x, path):
        """Logits, and what the module at this path gave."""
        logits = self(x)
        return logits, self.taps[path]


# ---- what the losses are made of ---------------------------------------------------------------


def kl(target, logits):
    """Per sample, from target probabilities."""
    return F.kl_div(F.log_softmax(logits, 1), target, reduction="none").sum(1)


def soft_kl(teacher, student, temperature):
    return temperature**2 * kl(F.softmax(teacher / temperature, 1), student / temperature).mean()


def vector(feature):
    return feature.mean((2, 3)) if feature.dim() == 4 else feature


def unit(v):
    return v / v.pow(2).sum(1, keepdim=True).sqrt()


def mix(z):
    """SplitMix64's finaliser, as bridge.torch.Seeds has it."""
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def derive(seed, stream, *position):
    h = mix((seed + 0x9E3779B97F4A7C15) & MASK)
    for character in stream:
        h = mix(h ^ ord(character))
    for p in position:
        h = mix((h + 0x9E3779B97F4A7C15 + p * 0xD1342543DE82EF95) & MASK)
    return h


def drawn(seed, step, image, labels, count):
    """An image's number and those of so many images of other classes."""
    others = sorted((y, i) for i, y in enumerate(labels) if y != labels[image])
    others = [i for _, i in others]
    own = derive(seed, "crd", step, image)
    numbers = [image]
    for j in range(count):
        left = len(others) - j
        at = j + (derive(own, "", j) >> 1) % left
        numbers.append(others[at])
        others[at] = others[j]
    return numbers


def dense(generator, out, into):
    """First weights of a linear layer."""
    bound = 1 / math.sqrt(into)
    weight = (torch.rand(out, into, generator=generator) * 2 - 1) * bound
    return weight, (torch.rand(out, generator=generator) * 2 - 1) * bound


# ---- the methods: a step's terms by name, weighted; their sum is descended ---------------------


class Method:
    options = {}
    teachers = []  # of the case's JSON
    trained = ()  # which of the initial tensors are trained; the others are state
    lr = 0.1
    weight_decay = 2e-4
    noise = None  # noise_normal or noise_uniform; None: no attack
    clamped = False  # whether the start is clamped to [0, 1]
    mode = "eval"  # of the student in the attack
    epochs = [1] * STEPS
    batches = list(range(STEPS))

    def initial(self, generator):
        """Tensors by the names of the method's state."""
        return {}

    def objective(self, run, x, y):
        """What the attack climbs: a function of images."""
        return lambda z: F.cross_entropy(run.student(z), y)

    def terms(self, run, x, x_adv, y):
        raise NotImplementedError


def teacher(network, role, feature=None):
    card = {"network": network, "role": role}
    return card if feature is None else {**card, "feature": feature}


class PeerAid(Method):
    options = {"name": "peer-aid", "gamma2": 0.5, "lambda1": 0.3, "peerTemperature": 2}
    teachers = [teacher("student_initial", "PEER")]
    noise = "noise_normal"

    def initial(self, generator):
        torch.manual_seed(77)
        return {f"peer.{name}": t for name, t in Student().state_dict().items()}

    def objective(self, run, x, y):
        run.peer.net.eval()
        with torch.no_grad():
            target = F.softmax(run.peer(x), 1)
        run.peer.net.train()
        return lambda z: kl(target, run.student(z)).sum()

    def terms(self, run, x, x_adv, y):
        t, tau = 5, 2
        tutor = run.peer(x_adv)
        shown = run.student(x_adv)
        adv = run.student(x_adv)
        nat = run.student(x)

        def mean_kl(target, logits, t):
            return t * t * kl(F.softmax(target / t, 1), logits / t).mean() / CLASSES

        return {
            "peerCe": F.cross_entropy(tutor, y),
            "peerKl": 0.5 * mean_kl(shown, tutor, tau),
            "ce": 0.3 * F.cross_entropy(adv, y),
            "peer": mean_kl(tutor.detach(), adv, t),
            "self": mean_kl(nat, adv, t),
        }


class Standard(Method):
    options = {"name": "standard"}

    def terms(self, run, x, x_adv, y):
        return {"ce": F.cross_entropy(run.student(x), y)}


class Alp(Method):
    options = {"name": "alp", "lambda": 2}
    noise = "noise_uniform"
    clamped = True
    batches = TEN_THRICE

    def objective(self, run, x, y):
        with torch.no_grad():
            predicted = run.student(x).argmax(1)
        return lambda z: F.cross_entropy(run.student(z), predicted)

    def terms(self, run, x, x_adv, y):
        both = run.student(torch.cat([x, x_adv]))
        nat, adv = both.chunk(2)
        return {
            "ce": 0.9 * F.cross_entropy(both, torch.cat([y, y])),
            "smooth": -0.1 * F.log_softmax(both, 1).mean(),
            "pair": 2 * F.mse_loss(nat, adv),
        }


class KdSwa(Method):
    options = {"name": "kd-swa"}
    teachers = [teacher("teacher_nat", "CLEAN"), teacher("teacher_adv", "ADVERSARIAL")]
    noise = "noise_uniform"
    clamped = True
    mode = "train"
    weight_decay = 5e-4
    batches = TEN_THRICE

    def terms(self, run, x, x_adv, y):
        own = run.student(x_adv)

        def soft(network):
            with torch.no_grad():
                target = F.softmax(network(x_adv) / 2, 1)
            return 4 * -(target * F.log_softmax(own / 2, 1)).sum(1).mean()

        return {
            "ce": 0.3 * F.cross_entropy(own, y),
            "clean": 0.1 * soft(run.teachers[0]),
            "adv": 0.6 * soft(run.teachers[1]),
        }


class VfdAdv(Method):
    options = {"name": "vfd-adv", "lambda": 2}
    teachers = [teacher("teacher_nat", "CLEAN")]
    trained = ("head.weight", "head.bias")
    noise = "noise_uniform"
    batches = TEN_THRICE

    def initial(self, generator):
        weight, bias = dense(generator, 20, 16)
        return {"head.weight": weight, "head.bias": bias}

    def terms(self, run, x, x_adv, y):
        with torch.no_grad():
            _, target = run.teachers[0].tapped(x, "norm")
        adv, u_adv = run.student.tapped(x_adv, "bn3")
        nat, u_nat = run.student.tapped(x, "bn3")

        def apart(u):
            brought = F.linear(vector(u), run.own["head.weight"], run.own["head.bias"])
            return 2 * F.mse_loss(brought, vector(target))

        return {**self.base(adv, nat, y), "featAdv": apart(u_adv), "featNat": apart(u_nat)}

    def base(self, adv, nat, y):
        return {"ce": F.cross_entropy(adv, y)}


class VfdAdvTrades(VfdAdv):
    options = {**VfdAdv.options, "base": "TRADES", "beta": 4}

    def objective(self, run, x, y):
        with torch.no_grad():
            target = F.softmax(run.student(x), 1)
        return lambda z: kl(target, run.student(z)).mean()

    def base(self, adv, nat, y):
        apart = kl(F.softmax(nat, 1), adv).mean()
        return {"ce": F.cross_entropy(nat, y), "kl": 4 * apart}


class Kd(Method):
    options = {"name": "kd"}
    teachers = [teacher("teacher_nat", "STANDARD")]

    def terms(self, run, x, x_adv, y):
        own = run.student(x)
        with torch.no_grad():
            said = run.teachers[0](x)
        return {"ce": 0.1 * F.cross_entropy(own, y), "kd": 0.9 * soft_kl(said, own, 4)}


class FitNets(Method):
    """RepDistiller's: 16×16 to 8×8 by a convolution of stride 2."""

    options = {"name": "fitnets", "featLayer": "bn1", "alpha": 0.5, "beta": 10}
    teachers = [teacher("teacher_adv", "STANDARD", "features.5")]
    shape = (32, 8, 3, 3)
    lr = 0.05

    def convolve(self, u, weight, bias):
        return F.conv2d(u, weight, bias, stride=2, padding=1)

    def initial(self, generator):
        out, into, height, width = self.shape
        weight, bias = dense(generator, out, into * height * width)
        weight = weight.view(self.shape)
        fresh = {"weight": weight, "bias": bias[: self.channels()]}
        if self.normalises():
            fresh["bn.weight"] = torch.ones(self.channels())
            fresh["bn.bias"] = torch.zeros(self.channels())
            fresh["bn.running_mean"] = torch.zeros(self.channels())
            fresh["bn.running_var"] = torch.ones(self.channels())
        self.trained = [f"regressor.{name}" for name in fresh if "running" not in name]
        return {f"regressor.{name}": t for name, t in fresh.items()}

    def channels(self):
        return self.shape[0]

    def normalises(self):
        return True

    def brought(self, run, u):
        of = {name.removeprefix("regressor."): t for name, t in run.own.items()}
        out = self.convolve(u, of["weight"], of["bias"])
        if self.normalises():
            mean, var = of["bn.running_mean"], of["bn.running_var"]
            out = F.batch_norm(out, mean, var, of["bn.weight"], of["bn.bias"], True, 0.1, 1e-5)
        return F.relu(out)

    def asked(self, run, x):
        own, u = run.student.tapped(x, self.options["featLayer"])
        with torch.no_grad():
            said, v = run.teachers[0].tapped(x, self.teachers[0]["feature"])
        return own, said, self.brought(run, u), v

    def terms(self, run, x, x_adv, y):
        own, said, r, v = self.asked(run, x)
        return {
            "ce": F.cross_entropy(own, y),
            "kd": 0.5 * soft_kl(said, own, 4),
            "hint": 10 * F.mse_loss(r, v),
        }


class FitNetsLarger(FitNets):
    """8×8 to 16×16 by a transposed convolution."""

    options = {**FitNets.options, "featLayer": "bn2"}
    teachers = [teacher("teacher_adv", "STANDARD", "features.2")]
    shape = (16, 16, 4, 4)

    def convolve(self, u, weight, bias):
        return F.conv_transpose2d(u, weight, bias, stride=2, padding=1)


class FitNetsPaper(FitNets):
    """Two stages; 16 channels to 32 by a convolution of 1×1."""

    options = {
        "name": "fitnets",
        "reference": "PAPER",
        "featLayer": "bn2",
        "beta": 0.02,
        "hintEpochs": 1,
        "decayEpochs": 8,
    }
    teachers = [teacher("teacher_adv", "STANDARD", "features.5")]
    shape = (32, 16, 1, 1)
    epochs = [1] * 10 + list(range(2, 12)) + [12] * 10

    def normalises(self):
        return False

    def convolve(self, u, weight, bias):
        return F.conv2d(u, weight, bias)

    def terms(self, run, x, x_adv, y):
        own, said, r, v = self.asked(run, x)
        epoch = run.epoch - 1
        if epoch < 1:
            return {"hint": 0.02 * 0.5 * (r - v).pow(2).sum((1, 2, 3)).mean()}
        alpha = 4 if epoch <= 5 else max(1, 4 - (epoch - 5) * 3 / (8 - 5 + 1))
        soft = -(F.softmax(said / 3, 1) * F.log_softmax(own / 3, 1)).sum(1).mean()
        return {"ce": F.cross_entropy(own, y), "kd": alpha * soft}


class Crd(Method):
    """Every image is seen three times, so that it is remembered."""

    width, negatives, tau, momentum = 4, 20, 0.07, 0.3
    options = {
        "name": "crd",
        "alpha": 0.5,
        "featDim": width,
        "negatives": negatives,
        "nceMomentum": momentum,
    }
    teachers = [teacher("teacher_nat", "STANDARD")]
    trained = tuple(
        f"embed.{who}.{what}" for who in ("student", "teacher") for what in ("weight", "bias")
    )
    lr = 0.05
    batches = TEN_THRICE

    def initial(self, generator):
        tensors = {}
        for who, into in (("student", 16), ("teacher", 20)):
            weight, bias = dense(generator, self.width, into)
            tensors[f"embed.{who}.weight"], tensors[f"embed.{who}.bias"] = weight, bias
        bound = 1 / math.sqrt(self.width / 3)
        for who in ("student", "teacher"):
            bank = torch.rand(STEPS * BATCH, self.width, generator=generator)
            tensors[f"banks.{who}"] = (bank * 2 - 1) * bound
        tensors["banks.constants"] = torch.zeros(2)
        return tensors

    def terms(self, run, x, x_adv, y):
        own, g = run.student.tapped(x, "bn3")
        with torch.no_grad():
            said, h = run.teachers[0].tapped(x, "norm")
        numbers = torch.tensor(
            [drawn(1, run.step, i, run.labels, self.negatives) for i in run.images]
        )
        v = {}
        for who, feature in (("student", g), ("teacher", h)):
            weight, bias = run.own[f"embed.{who}.weight"], run.own[f"embed.{who}.bias"]
            v[who] = unit(F.linear(vector(feature), weight, bias))
        n = len(run.labels)
        noise = self.negatives / n
        loss = 0
        for k, (who, other) in enumerate((("student", "teacher"), ("teacher", "student"))):
            memory = run.own[f"banks.{other}"][numbers]
            scores = torch.exp(torch.bmm(memory, v[who].unsqueeze(2)).squeeze(2) / self.tau)
            loss = loss + self.contrast(scores, noise, run.own["banks.constants"][k : k + 1], n)
        with torch.no_grad():
            for who in v:
                bank = run.own[f"banks.{who}"]
                moved = self.momentum * bank[run.images] + (1 - self.momentum) * v[who]
                bank[run.images] = unit(moved)
        return {
            "ce": F.cross_entropy(own, y),
            "kd": 0.5 * soft_kl(said, own, 4),
            "crd": 0.8 * loss,
        }

    def contrast(self, scores, noise, constant, n):
        if constant == 0:
            constant.fill_(scores.detach().mean() * n)
        p = scores / constant.item()
        right = torch.log(p[:, 0] / (p[:, 0] + noise + 1e-7)).sum()
        wrong = torch.log(noise / (p[:, 1:] + noise + 1e-7)).sum()
        return -(right + wrong) / len(p)


class CrdPaper(Crd):
    """log h of the pair itself and log(1 - h) of the others."""

    tau = 0.1
    options = {**Crd.options, "reference": "PAPER"}

    def contrast(self, scores, noise, constant, n):
        h = scores[:, 0] / (scores[:, 0] + noise)
        rest = noise / (scores[:, 1:] + noise)
        return -(h.log().sum() + rest.log().sum()) / len(h)


class SaMdrad(Method):
    options = {"name": "sa-mdrad"}
    teachers = [teacher("teacher_adv", "STANDARD"), teacher("teacher_nat", "STANDARD")]
    taps = ("features", "norm")
    trained = tuple(f"heads.{k}.{what}" for k in range(2) for what in ("weight", "bias"))
    noise = "noise_normal"
    epochs = [1] * 10 + [2] * 20

    def initial(self, generator):
        tensors = {}
        for k, width in enumerate((48, 20)):
            weight, bias = dense(generator, width, 16)
            tensors[f"heads.{k}.weight"], tensors[f"heads.{k}.bias"] = weight, bias
        return tensors

    def terms(self, run, x, x_adv, y):
        with torch.no_grad():
            clean, features = zip(*(t.tapped(x, p) for t, p in zip(run.teachers, self.taps)))
            hard = [t(x_adv) for t in run.teachers]
            q_adv, a_adv = self.fused(hard, y)
            q_nat, a_nat = self.fused(clean, y)
        s_adv, u_adv = run.student.tapped(x_adv, "bn3")
        s_nat, u_nat = run.student.tapped(x, "bn3")
        terms = {
            "adv": 5 / 6 * kl(q_adv, s_adv).mean(),
            "nat": 1 / 6 * kl(q_nat, s_nat).mean(),
            "ce": F.cross_entropy(s_adv, y),
        }
        if run.epoch >= 2:
            terms["featAdv"] = 0.5 * self.aligned(run, u_adv, features, a_adv)
            terms["featNat"] = 0.5 * self.aligned(run, u_nat, features, a_nat)
        return terms

    @staticmethod
    def fused(logits, y):
        """The target of the rectified teachers and their weights, by their raw logits."""
        ce = torch.stack([F.cross_entropy(z, y, reduction="none") for z in logits], 1)
        weights = (1 - F.softmax(ce, 1)) / (len(logits) - 1)
        target = 0
        for k, z in enumerate(logits):
            swapped = z.clone()
            rows = torch.arange(len(y))
            top = z.argmax(1)
            swapped[rows, top] = z[rows, y]
            swapped[rows, y] = z[rows, top]
            target = target + weights[:, k : k + 1] * F.softmax(swapped, 1)
        return target, weights

    @staticmethod
    def aligned(run, u, features, weights):
        total = 0
        for k, h in enumerate(features):
            own = F.linear(vector(u), run.own[f"heads.{k}.weight"], run.own[f"heads.{k}.bias"])
            total = total + (weights[:, k] * (own - vector(h)).pow(2).mean(1)).mean()
        return total


CASES = {
    "own_standard": Standard,
    "own_alp": Alp,
    "own_peer-aid": PeerAid,
    "own_kd-swa": KdSwa,
    "own_vfd-adv": VfdAdv,
    "own_vfd-adv_trades": VfdAdvTrades,
    "own_kd": Kd,
    "own_fitnets": FitNets,
    "own_fitnets_larger": FitNetsLarger,
    "own_fitnets_paper": FitNetsPaper,
    "own_crd": Crd,
    "own_crd_paper": CrdPaper,
    "own_sa-mdrad": SaMdrad,
}


# ---- a run ---------------------------------------------------------------------------------------


class Run:
    """Thirty steps in one precision, of batches in this order, from weights moved by this much."""

    def __init__(self, case, inputs, dtype, order=None, moved=0):
        self.method = case()
        self.inputs = inputs
        self.dtype = dtype
        self.order = torch.arange(BATCH) if order is None else order
        self.passes = []
        self.student = Watched("student", "student_initial", self)
        start = self.method.initial(torch.Generator().manual_seed(11))
        self.start = {name: t.clone() for name, t in start.items()}
        self.peer = None
        self.teachers = []
        for card in self.method.teachers:
            if card["role"] == "PEER":
                self.peer = Watched("peer", card["network"], self)
                state = {name.removeprefix("peer."): t for name, t in start.items()}
                self.peer.net.load_state_dict(state)
            else:
                self.teachers.append(Watched(card["network"], card["network"], self))
                self.teachers[-1].net.eval().requires_grad_(False)
        parameters = list(self.student.net.parameters())
        if moved:
            with torch.no_grad():
                for p in parameters:
                    p.copy_(torch.nextafter(p, torch.full_like(p, moved * math.inf)))
        if self.peer:
            parameters += self.peer.net.parameters()
            self.own = {}
        else:
            self.own = {
                name: t.to(dtype).requires_grad_(name in self.method.trained)
                for name, t in start.items()
            }
            parameters += [self.own[name] for name in self.method.trained]
        self.optimizer = torch.optim.SGD(
            parameters, lr=self.method.lr, momentum=0.9, weight_decay=self.method.weight_decay
        )
        self.labels = inputs["y"].flatten().tolist()
        self.figures = {}
        self.orders = []
        self.rates = []
        for step in range(STEPS):
            self.take(step)

    def note(self, name, training, x):
        if x is self.x:
            seen = "x"
        elif x is self.x_adv:
            seen = "x_adv"
        elif self.x_adv is not None and len(x) == 2 * BATCH:
            seen = "x and x_adv"
        else:
            seen = f"attack iterate {self.iterates}"
        grad = "grad" if torch.is_grad_enabled() else "no_grad"
        self.passes.append(f"{name} | {'train' if training else 'eval'} | {seen} | {grad}")

    def take(self, i):
        batch = self.method.batches[i]
        self.step = i + 1
        self.epoch = self.method.epochs[i]
        self.images = [batch * BATCH + int(k) for k in self.order]
        self.passes = []
        self.iterates = 0
        x = self.inputs["x"][batch][self.order].to(self.dtype)
        y = self.inputs["y"][batch][self.order]
        self.x, self.x_adv = x, None
        rate = self.method.lr * (0.1 if i >= 20 else 1)
        self.optimizer.param_groups[0]["lr"] = rate
        self.x_adv = x if self.method.noise is None else self.attack(batch, x, y)
        self.student.net.train()
        if self.peer:
            self.peer.net.train()
        terms = self.method.terms(self, x, self.x_adv, y)
        loss = sum(terms.values())
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        moved = (self.x_adv - x).abs()
        figures = {"loss": loss, **terms}
        if self.method.noise is not None:
            figures["x_adv_mean_abs_delta"] = moved.mean()
            figures["x_adv_max_abs_delta"] = moved.max()
        for name, value in figures.items():
            self.figures.setdefault(name, [None] * STEPS)[i] = value.item()
        self.rates.append(rate)
        self.orders.append(self.passes)

    def attack(self, batch, x, y):
        self.student.net.eval()
        objective = self.method.objective(self, x, y)
        self.student.net.train(self.method.mode == "train")
        noise = self.inputs[self.method.noise][batch][self.order].to(self.dtype)
        z = x + noise * (0.001 if self.method.noise == "noise_normal" else 1)
        if self.method.clamped:
            z = z.clamp(0, 1)
        for self.iterates in range(ATTACK_STEPS):
            z = z.detach().requires_grad_()
            (gradient,) = torch.autograd.grad(objective(z), z)
            z = z.detach() + STEP_SIZE * gradient.sign()
            z = torch.min(torch.max(z, x - EPSILON), x + EPSILON).clamp(0, 1)
        return z.detach()

    def state(self):
        """The student at the end, and the method's own tensors, without the largest."""
        state = {
            name: t.detach().float()
            for name, t in self.student.net.state_dict().items()
            if t.dtype.is_floating_point
        }
        own = dict(self.own)
        if self.peer:
            own = {f"peer.{n}": t for n, t in self.peer.net.state_dict().items()}
        for name, t in own.items():
            if t.dtype.is_floating_point:
                state[f"method/{name}"] = t.detach().float()
        return {name: t for name, t in state.items() if t.numel() <= LARGEST}


# ---- a case --------------------------------------------------------------------------------------


def tolerances(wide, narrow):
    """Per figure and step."""
    result = {}
    for name, values in wide.figures.items():
        gap = 0
        rows = []
        for i, value in enumerate(values):
            if value is None:
                rows.append(None)
                continue
            gap = max([gap, *(abs(run.figures[name][i] - value) for run in narrow)])
            share = 5e-4 if name == "x_adv_mean_abs_delta" else 1e-5
            rows.append(float(f"{max(share * abs(value), 5 * gap, 1e-7):.2e}"))
        result[name] = rows
    return result


def ranges(orders):
    """The forward passes of consecutive steps that make the same ones."""
    result = []
    for i, order in enumerate(orders):
        if result and result[-1]["sequence"] == order:
            result[-1]["steps"] = f"{result[-1]['steps'].split('-')[0]}-{i + 1}"
        else:
            result.append({"steps": str(i + 1), "sequence": order})
    return result


def make(name, inputs):
    case = CASES[name]
    wide = Run(case, inputs, torch.float64)
    narrow = [Run(case, inputs, torch.float32)]
    for seed in (1, 2):
        order = torch.randperm(BATCH, generator=torch.Generator().manual_seed(seed))
        narrow.append(Run(case, inputs, torch.float32, order))
    for moved in (1, -1):
        narrow.append(Run(case, inputs, torch.float32, moved=moved))
    method = wide.method
    attack = None
    if method.noise is not None:
        start = f"x + {method.noise}" + (" * 0.001" if method.noise == "noise_normal" else "")
        attack = {
            "start_point": f"clamp({start})" if method.clamped else start,
            "noise": method.noise,
            "noise_factor": 1.0,
            "steps": ATTACK_STEPS,
            "step_size": STEP_SIZE,
            "epsilon": EPSILON,
        }
    card = {
        "name": name,
        "description": "the method stated plainly, not recorded from its authors' code",
        "source": {"file": "tests/peer/make_method_cases.py", "class": case.__name__},
        "method": method.options,
        "teachers": method.teachers,
        "constants": {"steps": STEPS, "batch": BATCH, "classes": CLASSES},
        "attack": attack,
        "optimiser": {
            "kind": "SGD",
            "lr": method.lr,
            "momentum": 0.9,
            "weight_decay": method.weight_decay,
            "nesterov": False,
        },
        "epochs": method.epochs,
        "batch_of_step": method.batches,
        "initial": bool(wide.start),
        "forward_order": ranges(wide.orders),
        "per_step": {"lr": wide.rates, "float64": wide.figures},
        "tolerance": {
            "per_step": tolerances(wide, narrow),
            "float64_implementation": {"loss_relative": 1e-9, "state_rel_l2": 2e-7},
            "snapshots": {},
        },
        "environment": {"torch": torch.__version__, "device": "cpu"},
    }
    tensors = {f"initial.{n}": t.contiguous() for n, t in wide.start.items()}
    for n, t in wide.state().items():
        tensors[f"step{STEPS}_float64run.{n}"] = t.contiguous()
    save_file(tensors, FOLDER / f"{name}.safetensors")
    (FOLDER / f"{name}.safetensors").chmod(0o644)
    (FOLDER / f"{name}.json").write_text(json.dumps(card, separators=(",", ":")) + "\n")
    losses = wide.figures["loss"]
    last = card["tolerance"]["per_step"]["loss"][-1] / abs(losses[-1])
    print(f"{name}: loss {losses[0]:.4g} -> {losses[-1]:.4g}, float32 within {last:.1e} at the end")


def main():
    torch.set_num_threads(1)
    inputs = load_file(FOLDER / "inputs.safetensors")
    inputs["x"] = inputs["x"].float() / 255
    for name in sys.argv[1:] or CASES:
        make(name, inputs)


if __name__ == "__main__":
    main()
