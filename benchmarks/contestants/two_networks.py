"""Student and teacher of backbones and heads from libraries: DINO, BYOL and SimSiam in PyTorch."""

import torch
from torch import nn

from benchmarks.contestants.torch_training import TorchContestant


class Network(nn.Module):
    """A backbone with its projector, and a predictor or None.

    Args:
        backbone: Images to features (B, D).
        projector: Features to embeddings.
        predictor: Embeddings to embeddings, or None.
        joint: Whether views of one size go through as one batch; else each has BatchNormalization's
            statistics of its own.
    """

    def __init__(self, backbone, projector, predictor, joint):
        super().__init__()
        self.backbone, self.projector, self.predictor = backbone, projector, predictor
        self.joint = joint

    def forward(self, views):
        """Returns lists, an entry a view: embeddings, predictions and features."""
        if not self.joint:
            features = [self.backbone(view) for view in views]
            embeddings = [self.projector(feature) for feature in features]
        else:
            sizes = [view.shape[-1] for view in views]
            ends = [i for i in range(1, len(views) + 1) if i == len(views) or sizes[i] < sizes[0]]
            first = ends[0]
            groups = [views[:first], *([views[first:]] if first < len(views) else [])]
            features = torch.cat([self.backbone(torch.cat(group)) for group in groups])
            embeddings = self.projector(features).chunk(len(views))
            features = features.chunk(len(views))
        predictions = [self.predictor(each) for each in embeddings] if self.predictor else None
        return embeddings, predictions, features


class TwoNetworks(TorchContestant):
    """A contestant whose parts `backbone`, `heads` and `losses` return, in PyTorch's modules.

    `heads()` returns projector and predictor; `dino_loss(student, teacher)` and
    `distance(prediction, target)` compare embeddings.
    """

    def make_networks(self):
        """Builds the student, and the teacher unless the method is SimSiam."""
        joint = self.work.objective == "dino"
        self.student = Network(self.backbone(), *self.heads(), joint)
        self.teacher = None
        if self.work.objective != "simsiam":
            # No copy: PyTorch's older `weight_norm` can't be copied.
            self.teacher = Network(self.backbone(), *self.heads(), joint).requires_grad_(False)
            self.teacher.load_state_dict(self.student.state_dict())
            self.teacher.predictor = None

    def loss(self, views):
        """The method's loss, and the features of the teacher's first view."""
        embeddings, predictions, features = self.student(views)
        targets = embeddings
        if self.teacher is not None:
            with torch.no_grad():
                targets, _, features = self.teacher(views[:2])
        if self.work.objective == "dino":
            return self.dino_loss(embeddings, targets), features[0].detach()
        first = self.distance(predictions[0], targets[1].detach())
        second = self.distance(predictions[1], targets[0].detach())
        return 0.5 * (first + second), features[0].detach()
