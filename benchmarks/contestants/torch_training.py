"""What the contestants that train with PyTorch share: data loader, step, optimizer, bank."""

import time

import torch
import torchvision
from torch.nn import functional
from torch.utils.data import DataLoader

from benchmarks.contestants import memory
from benchmarks.contestants.work import MOMENTUM, Work


class IndexedFolder(torchvision.datasets.ImageFolder):
    """An image's views, made by `transform`, and its index."""

    def __getitem__(self, index):
        """Reads one file."""
        return self.transform(self.loader(self.samples[index][0])), index


class TorchContestant:
    """Answers by training with PyTorch.

    A subclass says with which networks, loss and views: `make_networks()` sets `student` and
    `teacher` (None without one), `make_transform()` returns a function from a Pillow image to a
    list of views, and `loss(views)` returns the loss and the features (B, D) for the bank.
    """

    versions_of = (torch, torchvision)

    def prepare(self, work):
        """Builds everything; returns what there is."""
        self.work = work = Work(**work)
        torch.manual_seed(0)
        torch.set_num_threads(work.threads)
        # As ours: float32 means float32.
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.benchmark = True
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.make_networks()
        for module in filter(None, (self.student, self.teacher)):
            module.to(self.device).train()
        self.optimizer = self.make_optimizer()
        self.bank = self.make_bank() if work.bank else None
        self.loader = DataLoader(
            self.make_dataset(),
            work.batch_size,
            shuffle=True,
            num_workers=work.threads,
            pin_memory=self.device.type == "cuda",
            drop_last=True,
            persistent_workers=True,
        )
        views = [torch.from_numpy(view) for view in work.ready_views(channels_last=False)]
        rows = torch.randperm(max(work.bank, work.batch_size))[: work.batch_size]
        self.ready = self.on_device((views, rows))
        name = torch.cuda.get_device_name() if self.device.type == "cuda" else "CPU"
        trained = [p for p in self.student.parameters() if p.requires_grad]
        return {
            "versions": {each.__name__: each.__version__ for each in self.versions_of},
            "device": name,
            "parameters": sum(parameter.numel() for parameter in trained),
        }

    def make_dataset(self):
        """The files with their views."""
        return IndexedFolder(self.work.folder, self.make_transform())

    def make_optimizer(self):
        """As everyone's: biases and other vectors don't decay."""
        work = self.work
        trained = [p for p in self.student.parameters() if p.requires_grad]
        groups = [
            {"params": [p for p in trained if p.ndim > 1], "weight_decay": work.weight_decay},
            {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
        ]
        if work.optimizer == "adamw":
            return torch.optim.AdamW(groups, lr=work.learning_rate, **self.fused())
        return torch.optim.SGD(groups, lr=work.learning_rate, momentum=0.9, **self.fused())

    def fused(self):
        """Arguments of the fastest optimizer that there is."""
        return {"fused": True} if self.device.type == "cuda" else {}

    def make_bank(self):
        """Tables of features, neighbors and similarities."""
        rows, dim = max(self.work.bank, self.work.images), self.feature_dim
        sizes = ((rows, dim), torch.float), ((rows, self.work.topk), torch.long)
        sizes += (((rows, self.work.topk), torch.float),)
        return [torch.zeros(size, dtype=dtype, device=self.device) for size, dtype in sizes]

    # --- rounds -----------------------------------------------------------------------------------

    def round(self, kind):
        """Times one round; returns seconds, and the peak memory of a round of steps."""
        if kind == "step":
            self.forget_peak()
        start = time.perf_counter()
        last = {"step": self.steps, "input": self.input, "whole": self.whole}[kind]()
        last.item()  # Waits for the device.
        answer = {"seconds": time.perf_counter() - start}
        return {**answer, "peak": self.peak()} if kind == "step" else answer

    def steps(self):
        """Steps on views that are on the device already."""
        for _ in range(self.work.steps):
            loss = self.step(*self.ready)
        return loss

    def whole(self):
        """An epoch, from files to weights."""
        for batch in self.loader:
            loss = self.step(*self.on_device(batch))
        return loss

    def input(self):
        """An epoch of views on the device."""
        for batch in self.loader:
            views, _ = self.on_device(batch)
        return views[-1][0, 0, 0, 0]

    def on_device(self, batch):
        """Moves views and indices."""
        views, indices = batch[0], batch[1]
        views = [view.to(self.device, non_blocking=True) for view in views]
        return views, indices.to(self.device, non_blocking=True)

    # --- the step ---------------------------------------------------------------------------------

    def step(self, views, indices):
        """One training step; returns the loss."""
        half = self.work.precision == "bfloat16"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=half):
            loss, features = self.loss(views)
        self.optimizer.zero_grad()
        loss.backward()
        if self.work.clipnorm:
            self.clip(self.work.clipnorm)
        self.optimizer.step()
        if self.teacher is not None:
            self.follow()
        if self.bank is not None:
            self.remember(features, indices)
        return loss.detach()

    @torch.no_grad()
    def clip(self, clipnorm):
        """Clips each gradient by its own norm."""
        gradients = [p.grad for p in self.student.parameters() if p.grad is not None]
        factors = torch._foreach_norm(gradients)
        torch._foreach_add_(factors, 1e-6)
        torch._foreach_reciprocal_(factors)
        torch._foreach_mul_(factors, clipnorm)
        torch._foreach_clamp_max_(factors, 1.0)
        torch._foreach_mul_(gradients, factors)

    @torch.no_grad()
    def follow(self):
        """Moves the teacher towards the student."""
        student = dict(self.student.named_parameters())
        pairs = [(p, student[name]) for name, p in self.teacher.named_parameters()]
        teachers, students = zip(*pairs, strict=True)
        torch._foreach_lerp_(teachers, students, 1.0 - MOMENTUM)

    @torch.no_grad()
    def remember(self, features, indices):
        """Asks the bank for the nearest rows, and writes the new ones."""
        table, ids, similarities = self.bank
        features = functional.normalize(features.float(), dim=-1)
        found, places = (features @ table.T).topk(self.work.topk, dim=-1)
        table[indices], ids[indices], similarities[indices] = features, places, found

    # --- memory -----------------------------------------------------------------------------------

    def forget_peak(self):
        """Forgets the most memory held so far, of the GPU or the process."""
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
        else:
            memory.forget_peak()

    def peak(self):
        """Bytes at most held since, on the GPU by its allocator or else by the process."""
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated()
        return memory.peak_of_process()
