"""lightly: its heads, losses, transform and momentum; its ResNet, and timm's ViT as it wraps it."""

import lightly
import torch
from lightly.loss import DINOLoss, NegativeCosineSimilarity
from lightly.models import ResNetGenerator, modules
from lightly.models.utils import update_momentum
from lightly.transforms import DINOTransform
from torch import nn
from torchvision.transforms import InterpolationMode

from benchmarks.contestants import torch_training
from benchmarks.contestants.two_networks import TwoNetworks
from benchmarks.contestants.work import GLOBAL_SCALE, LOCAL_SCALE, MOMENTUM


class Lightly(TwoNetworks):
    """As lightly's examples put it together."""

    versions_of = (*torch_training.TorchContestant.versions_of, lightly)

    def backbone(self):
        """ResNet-18 with the stem for 32 pixels as in its CIFAR-10 benchmark, or timm's ViT."""
        if self.work.backbone == "resnet18_cifar":
            self.feature_dim = 512
            layers = list(ResNetGenerator("resnet-18").children())[:-1]
            return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        from benchmarks.contestants.with_timm import vision_transformer

        backbone = vision_transformer(self.work)
        self.feature_dim = backbone.num_features
        return backbone

    def heads(self):
        """Projector and predictor."""
        work = self.work
        width, hidden, out = self.width(), work.hidden_dim, work.out_dim
        if work.objective == "dino":
            self.dino = DINOLoss(out, warmup_teacher_temp_epochs=0).to(self.device)
            return modules.DINOProjectionHead(width, hidden, 256, out), None
        self.cosine = NegativeCosineSimilarity()
        if work.objective == "byol":
            projector = modules.BYOLProjectionHead(width, hidden, out)
            return projector, modules.BYOLPredictionHead(out, hidden, out)
        projector = modules.SimSiamProjectionHead(width, hidden, out)
        return projector, modules.SimSiamPredictionHead(out, 512, out)

    def width(self):
        """Features of the backbone."""
        widths = {"vit_mini": 96, "vit_tiny": 192, "vit_small": 384, "resnet18_cifar": 512}
        return widths[self.work.backbone]

    def dino_loss(self, student, teacher):
        """Over all pairs of different views."""
        return self.dino(list(teacher), list(student))

    def distance(self, prediction, target):
        """Of one direction."""
        return self.cosine(prediction, target)

    def follow(self):
        """Moves the teacher towards the student."""
        with torch.no_grad():
            for name in ("backbone", "projector"):
                pair = getattr(self.student, name), getattr(self.teacher, name)
                update_momentum(*pair, m=MOMENTUM)

    def make_transform(self):
        """DINO's, whose numbers are the official ones."""
        work = self.work
        transform = DINOTransform(
            work.image_size, GLOBAL_SCALE, work.local_size or 96, LOCAL_SCALE, work.num_local
        )
        for view in transform.transforms:
            view.transform.transforms[0].interpolation = InterpolationMode(work.interpolation)
        return transform
