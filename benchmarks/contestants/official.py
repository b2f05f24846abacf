"""The official AdaSim modules, from a checkout: networks, loss, data set, views, clipping, bank."""

import argparse
import math
import pathlib
import sys
import tempfile

import torch
from torchvision.transforms import InterpolationMode

from benchmarks.contestants.torch_training import TorchContestant
from benchmarks.contestants.work import GLOBAL_SCALE, LOCAL_SCALE, MOMENTUM


class Official(TorchContestant):
    """Its `train_one_epoch`, whose body stands in `loss`, `clip`, `follow` and `remember`.

    What isn't as there: the precision is the case's, and a CPU will do.
    """

    def make_networks(self):
        """Imports the code, and builds student, teacher and loss as it does."""
        work = self.work
        if work.num_local or not (work.objective == "dino" and work.backbone.startswith("vit")):
            raise ValueError("it has two views, DINO's loss and ViTs alone")
        sys.path.insert(0, work.official)
        import main_adasim

        self.code = main_adasim
        with tempfile.NamedTemporaryFile(delete=False) as file:
            torch.distributed.init_process_group(
                "nccl" if self.device.type == "cuda" else "gloo",
                init_method=pathlib.Path(file.name).as_uri(),
                world_size=1,
                rank=0,
            )
        self.arguments = argparse.Namespace(
            local_crops_number=0,
            batch_size_per_gpu=work.batch_size,
            nn_rep_type="first",
            topk=work.topk,
            vote_nn_nb=50,
            sampling_softmax_temp=0.001,
        )
        self.student = self.network()
        self.teacher = self.network().requires_grad_(False)
        self.teacher.load_state_dict(self.student.state_dict())
        self.adasim_loss = main_adasim.AdaSimLoss(
            work.out_dim, 2, 0.04, 0.04, 0, 100, args=self.arguments
        ).to(self.device)
        self.same_image = torch.ones(work.batch_size, dtype=torch.long, device=self.device)
        self.bootstraps = torch.zeros(max(work.bank, work.images), dtype=torch.long)

    def network(self):
        """A ViT with DINO's head, without drop path, as everyone's."""
        work = self.work
        vit = self.code.vits
        if work.backbone == "vit_mini":
            sizes = {"embed_dim": 96, "depth": 4, "num_heads": 3, "qkv_bias": True}
            backbone = vit.VisionTransformer([work.image_size], work.patch_size, **sizes)
        else:
            make = getattr(vit, work.backbone)
            backbone = make(work.patch_size, img_size=[work.image_size])
        self.feature_dim = backbone.embed_dim
        head = self.code.DINOHead(backbone.embed_dim, work.out_dim, hidden_dim=work.hidden_dim)
        return self.code.utils.MultiCropWrapper(backbone, head)

    def make_optimizer(self):
        """With its groups."""
        groups = self.code.utils.get_params_groups(self.student)
        groups[0]["weight_decay"] = self.work.weight_decay
        return torch.optim.AdamW(groups, lr=self.work.learning_rate)

    def make_dataset(self):
        """Its folder, with views of the case's size."""
        transform = self.code.DataAugmentationDINO(GLOBAL_SCALE, LOCAL_SCALE, 0, self.arguments)
        for view in (transform.global_transfo1, transform.global_transfo2):
            view.transforms[0].size = (self.work.image_size,) * 2
            view.transforms[0].interpolation = InterpolationMode(self.work.interpolation)
        return self.code.DatasetFolderAdaSim(
            self.work.folder,
            self.arguments,
            transform=transform,
            return_index_instead_of_target=True,
        )

    def loss(self, views):
        """The loss, and what the teacher said; it waits for the loss, to see if it is finite."""
        teacher_output = self.teacher(views[:2])
        student_output = self.student(views)
        loss = self.adasim_loss(student_output, teacher_output, 0)
        if not math.isfinite(loss.item()):
            raise FloatingPointError(f"Loss is {loss.item()}")
        return loss, teacher_output

    def clip(self, clipnorm):
        """With a wait for every norm."""
        self.code.utils.clip_gradients(self.student, clipnorm)

    @torch.no_grad()
    def follow(self):
        """One parameter after the other."""
        pairs = zip(self.student.parameters(), self.teacher.parameters(), strict=True)
        for student, teacher in pairs:
            teacher.data.mul_(MOMENTUM).add_((1 - MOMENTUM) * student.detach().data)

    def remember(self, teacher_output, indices):
        """Its `update_state`; then it waits for the device and the loss."""
        teacher_output = (teacher_output[0], teacher_output[1].float())
        self.code.update_state(
            teacher_output,
            indices,
            *self.bank,
            self.same_image,
            self.bootstraps,
            self.arguments,
        )
        if self.device.type == "cuda":
            torch.cuda.synchronize()
