"""What the training step asks of an objective."""

import keras


class Objective(keras.layers.Layer):
    """A loss on embeddings, with the heads and the state that belong to it.

    An objective knows nothing of backbones or pairings: it reads what a backbone gives for every
    view, `{"features": (B, D), "tokens": (B, P, D)}`, and answers with a loss. The training step
    calls, in this order and on every replica,

    1. `student_embeddings` and `teacher_embeddings`, the heads;
    2. `to_gather`, and hands the gathered tensors on, rows in the order of the global batch;
    3. `compute_loss`;
    4. `update`, once the statistics have been averaged over the replicas. It may assign to its own
       variables, with values that are the same on all replicas, and to nothing else.

    A subclass builds its heads in `build`, one layer for the student and one for the teacher, and
    `heads` lists them.

    Attributes:
        has_teacher: Whether a teacher follows the student as a moving average. Without one the
            teacher *is* the student: `teacher_embeddings` then gets what the student's backbone
            gave for the global views, without gradient, and may return nothing.
        exchanges: Whether `to_gather` asks for anything. If so the training step has a seam
            between the encoders and the loss when there are several replicas.
        joint_statistics: Whether a backbone's BatchNormalization sees all views of one size as one
            batch, as in DINO's and SimCLR's code, or each view by itself.
        two_views_only: Whether it compares the two global views alone, and refuses local crops.
        freezes_patch_embedding: Whether a transformer's patch embedding stays random.
        metric_names: Names of the scalars in the third value of `compute_loss`.

    Example:
        ```python
        class Alignment(ka.objectives.Objective):
            def student_embeddings(self, views):
                return {"features": tf.stack([view["features"] for view in views[:2]])}

            teacher_embeddings = student_embeddings

            def compute_loss(self, student, teacher, gathered, first_row, step):
                gap = student["features"] - teacher["features"][::-1]
                return tf.reduce_mean(tf.square(gap)), {}, {}
        ```
    """

    has_teacher = True
    joint_statistics = True
    exchanges = False
    two_views_only = False
    freezes_patch_embedding = False
    metric_names = ()

    @property
    def heads(self):
        """List of (student layer, teacher layer); the second is None where a teacher has none."""
        return []

    def student_embeddings(self, views):
        """Runs the student's heads in training mode.

        Args:
            views: List of V dictionaries as the backbone gives them, global views first.

        Returns:
            Dictionary of tensors or lists of them, the only thing of the student that reaches
            `compute_loss`. If the objective exchanges, every tensor is (B, ...), the batch
            first: gradient accumulation joins those of its parts.
        """
        raise NotImplementedError(f"{type(self).__name__} must define `student_embeddings`.")

    def teacher_embeddings(self, views):
        """Runs the teacher's heads on the two global views; returns a dictionary of tensors."""
        raise NotImplementedError(f"{type(self).__name__} must define `teacher_embeddings`.")

    def to_gather(self, student, teacher):
        """Returns a dictionary of (B, ...) tensors that the loss needs from all replicas."""
        return {}

    def compute_loss(self, student, teacher, gathered, first_row, step):
        """Returns the replica's mean loss.

        Args:
            student: What `student_embeddings` returned.
            teacher: What `teacher_embeddings` returned.
            gathered: The tensors of `to_gather` from all replicas, (global batch, ...).
            first_row: Integer tensor, the place of this replica's first image in the global batch.
            step: Int64 tensor, optimizer steps made so far: what schedules are functions of.

        Returns:
            Tuple of loss, statistics and metrics: a float32 scalar; a dictionary of tensors to be
            averaged over the replicas for `update`; a dictionary of scalars named in
            `metric_names`.
        """
        raise NotImplementedError(f"{type(self).__name__} must define `compute_loss`.")

    def update(self, statistics, gathered, step):
        """Brings center or queue up to date, after the optimizer."""

    def check_batch(self, batch_size):
        """Raises ValueError if it can't learn from batches of so many images, over all devices."""

    def symptoms(self):
        """Returns a list of `Symptom`, what its own collapse looks like in the logs.

        `CollapseAlarm` watches for them, and for features that don't differ between images.
        """
        return []

    def frozen(self, step):
        """Returns a list of (variables, boolean tensor): these are left out while it is true."""
        return []

    def fixed_learning_rates(self):
        """Returns a list of (variables, rate) that don't follow the optimizer's schedule.

        A rate is a float, or "base": the one that the optimizer's schedule decays from.
        """
        return []
