"""timm's networks with SDPA under `torch.compile`; heads, losses and views in plain PyTorch."""

import timm
import torch
from PIL import ImageFilter, ImageOps
from torch import nn
from torch.nn import functional
from torch.nn.utils.parametrizations import weight_norm
from torchvision import transforms
from torchvision.transforms import InterpolationMode

from benchmarks.contestants import torch_training
from benchmarks.contestants.two_networks import TwoNetworks
from benchmarks.contestants.work import GLOBAL_SCALE, LOCAL_SCALE, MEAN, STD

WIDTHS = {"vit_mini": (96, 4, 3), "vit_tiny": (192, 12, 3), "vit_small": (384, 12, 6)}


class Timm(TwoNetworks):
    """What a practitioner in PyTorch would write for speed."""

    versions_of = (*torch_training.TorchContestant.versions_of, timm)

    def make_networks(self):
        """Builds and compiles the networks."""
        super().make_networks()
        self.center = torch.zeros(self.work.out_dim, device=self.device)
        for network in filter(None, (self.student, self.teacher)):
            network.compile()
        self.cross_view = torch.compile(cross_view)

    def backbone(self):
        """A ViT, or ResNet-18 with the stem for 32 pixels."""
        if self.work.backbone == "resnet18_cifar":
            backbone = timm.create_model("resnet18", num_classes=0)
            backbone.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
            backbone.maxpool = nn.Identity()
        else:
            backbone = vision_transformer(self.work)
        self.feature_dim = backbone.num_features
        return backbone

    def heads(self):
        """Projector and predictor."""
        work = self.work
        backbone = {"resnet18_cifar": 512, **{name: w for name, (w, *_) in WIDTHS.items()}}
        width, hidden, out = backbone[work.backbone], work.hidden_dim, work.out_dim
        if work.objective == "dino":
            return DINOHead(width, hidden, out), None
        if work.objective == "byol":
            return perceptron(width, hidden, out), perceptron(out, hidden, out)
        last = nn.BatchNorm1d(out, affine=False)
        projector = perceptron(width, hidden, hidden, norm=nn.BatchNorm1d(hidden))
        projector.extend([nn.ReLU(), nn.Linear(hidden, out, bias=False), last])
        return projector, perceptron(out, 512, out)

    def dino_loss(self, student, teacher):
        """Over all pairs of different views; moves the center."""
        student, teacher = torch.stack(list(student)), torch.stack(list(teacher))
        loss, mean = self.cross_view(student, teacher, self.center)
        self.center = 0.9 * self.center + 0.1 * mean
        return loss

    def distance(self, prediction, target):
        """Of one direction."""
        return -functional.cosine_similarity(prediction, target).mean()

    def make_transform(self):
        """DINO's views, in torchvision's transforms on Pillow images."""
        work, mode = self.work, InterpolationMode(self.work.interpolation)

        def view(size, scale, blur, solarize=0.0):
            jitter = transforms.ColorJitter(0.4, 0.4, 0.2, 0.1)
            soft = transforms.Lambda(blurred)
            return transforms.Compose(
                [
                    transforms.RandomResizedCrop(size, scale, interpolation=mode),
                    transforms.RandomHorizontalFlip(),
                    transforms.RandomApply([jitter], 0.8),
                    transforms.RandomGrayscale(0.2),
                    transforms.RandomApply([soft], blur),
                    transforms.RandomApply([transforms.Lambda(ImageOps.solarize)], solarize),
                    transforms.ToTensor(),
                    transforms.Normalize(MEAN, STD),
                ]
            )

        views = [view(work.image_size, GLOBAL_SCALE, 1.0)]
        views += [view(work.image_size, GLOBAL_SCALE, 0.1, 0.2)]
        views += [view(work.local_size or 96, LOCAL_SCALE, 0.5)] * work.num_local
        return lambda image: [each(image) for each in views]


class DINOHead(nn.Module):
    """Three dense layers, an L2-normalized bottleneck, prototypes of length 1."""

    def __init__(self, width, hidden, out):
        super().__init__()
        layers = [nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, hidden), nn.GELU()]
        self.layers = nn.Sequential(*layers, nn.Linear(hidden, 256))
        self.prototypes = weight_norm(nn.Linear(256, out, bias=False))
        self.prototypes.parametrizations.weight.original0.data.fill_(1.0)
        self.prototypes.parametrizations.weight.original0.requires_grad = False

    def forward(self, features):
        """Features (B, D) to logits (B, K)."""
        return self.prototypes(functional.normalize(self.layers(features), dim=-1))


def perceptron(width, hidden, out, norm=None):
    """Two dense layers with batch normalization and ReLU between them, and maybe a norm behind."""
    first = [nn.Linear(width, hidden, bias=False), nn.BatchNorm1d(hidden), nn.ReLU()]
    return nn.Sequential(*first, nn.Linear(hidden, out, bias=norm is None), *filter(None, [norm]))


def cross_view(student, teacher, center):
    """DINO's loss of logits (V, B, K) and (2, B, K), and the teacher's mean logits."""
    teacher = teacher.float()
    targets = ((teacher - center) / 0.04).softmax(-1)
    log_probabilities = (student.float() / 0.1).log_softmax(-1)
    pairs = [(a, v) for a in range(2) for v in range(student.shape[0]) if v != a]
    terms = [-(targets[a] * log_probabilities[v]).sum(-1).mean() for a, v in pairs]
    return sum(terms) / len(terms), teacher.mean((0, 1))


def vision_transformer(work):
    """DINO's ViT of the case, whose class token is the feature; attention is SDPA."""
    width, depth, heads = WIDTHS[work.backbone]
    return timm.models.VisionTransformer(
        work.image_size,
        work.patch_size,
        num_classes=0,
        embed_dim=width,
        depth=depth,
        num_heads=heads,
        dynamic_img_size=work.num_local > 0,
    )


def blurred(image):
    """DINO's blur; its radius is drawn."""
    radius = torch.empty(()).uniform_(0.1, 2.0).item()
    return image.filter(ImageFilter.GaussianBlur(radius))
