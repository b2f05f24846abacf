"""What watches a run: measures, logs, checkpoints and progress."""

import keras

from keras_adasim import callbacks as ours
from keras_adasim import data
from keras_adasim.validation import check_integer, renamed
from keras_adasim.workers import is_chief


def make_watchers(folder, sources, dataset, callbacks, backup, decision, first_look):
    """All callbacks of a run, in the order in which they read each other's logs.

    Args:
        folder: The `RunFolder`.
        sources: Training source, and test source or None.
        dataset: The `PairDataset`.
        callbacks: The user's own, which may add to the logs too.
        backup: The `Backup`.
        decision: The `Decision`.
        first_look: The `FirstLook`.
    """
    train, test = sources
    image_size, every = decision["image_size"], decision["knn_every"]
    watchers = [
        ours.Measures(
            train, labels=train.labels, every=every, image_size=image_size, seed=decision["seed"]
        )
    ]
    if decision["knn_images"] != 0 and train.labels is not None:
        watchers.append(make_knn(train, test, image_size, every, decision))
    if decision["probe"]:
        watchers.append(make_probe(train, find(watchers, ours.OnlineKNN), decision["seed"]))
    progress = ours.Progress(total_images=len(train), batch_size=dataset.batch_size)
    board = ours.EventLog(folder.tensorboard, write_graph=False)
    backup.stateful = watchers[:1]
    chief = is_chief(decision["strategy"])
    for source, name in ((train, "bad_images"), (test, "bad_test_images")):
        if isinstance(source, data.WatchedSource):
            watchers.append(ours.BadImages(source, first_look.teller(source, name), name))
    return [
        *watchers,
        make_alarm(folder, find(watchers, ours.OnlineKNN), decision),
        *keras.tree.flatten(callbacks),
        ours.EpochLog(folder.log, progress),
        # It begins a file, also where nothing is left to train.
        *([board] if chief and folder.finished_epochs < decision["epochs"] else []),
        backup,
        *([progress] if chief else []),
    ]


def make_alarm(folder, knn, decision):
    """The alarm of a collapse, silent while the learning rate warms up."""
    return ours.CollapseAlarm(
        decision["on_collapse"],
        grace=max(1, decision["warmup_epochs"]),
        knn_images=knn.num_test if knn else None,
        log=folder.log,
        checkpoints=folder.checkpoints,
    )


def make_knn(train, test, image_size, every, decision):
    """The k-NN over labeled images: of the test images, else of each by all the others.

    Raises:
        ValueError: If more neighbors are to vote than there are.
    """
    most = min(check_integer("knn_images", decision["knn_images"], minimum=2), len(train))
    if decision.given.get("knn_k", 1) >= most:
        raise ValueError(
            f"Expected `knn_k` of at most {most - 1}, the images but one. "
            f"Received: knn_k={decision['knn_k']}"
        )
    return ours.OnlineKNN(
        train,
        test,
        k=max(1, min(decision["knn_k"], most - 1)),
        temperature=decision["knn_temperature"],
        every=every,
        max_images=decision["knn_images"],
        image_size=image_size,
        seed=decision["seed"],
        leave_one_out=test is None,
    )


def make_probe(train, knn, seed):
    """The linear classifier on the k-NN's images.

    Raises:
        ValueError: If there are no labels, or too few images of each class.
    """
    if knn is None:
        raise ValueError(
            "Expected labeled images for `probe`, one sub-folder per class. Received: "
            f"{train.why_unlabeled or 'images without labels'}. Leave `probe` out."
        )
    with renamed(knn="probe"):
        return ours.OnlineProbe(knn, seed=seed)


def find(watchers, kind):
    """The callback of a kind, or None."""
    return next((watcher for watcher in watchers if isinstance(watcher, kind)), None)
