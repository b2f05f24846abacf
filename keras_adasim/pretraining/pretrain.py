"""Pretraining from images to a SavedModel: choose, build, train, watch, save, export."""

from keras_adasim import workers
from keras_adasim.callbacks import Backup, CollapseAlarm, CollapseError
from keras_adasim.callbacks.chief import writes_files
from keras_adasim.data import Inventory
from keras_adasim.finite import NotFiniteError
from keras_adasim.pretraining import building, devices, images, page, results, surroundings
from keras_adasim.pretraining.deciding import Decision, Default
from keras_adasim.pretraining.first_look import FirstLook
from keras_adasim.pretraining.needs import Needs
from keras_adasim.pretraining.plan import planned, print_plan
from keras_adasim.pretraining.run_folder import RunFolder
from keras_adasim.pretraining.stopping import Stopped, stops_after_a_step
from keras_adasim.pretraining.watching import find, make_watchers

BACKBONE, OBJECTIVE, PAIRING = Default("vit_small"), Default("dino"), Default("adasim")


def pretrain(
    data,
    out,
    backbone=BACKBONE,
    objective=OBJECTIVE,
    pairing=PAIRING,
    *,
    test_data=None,
    augment=None,
    callbacks=(),
    defaults=None,
    fresh=False,
    accept_changes=False,
    dry_run=False,
    **settings,
):
    """Pretrains a backbone on images without labels, and exports its features.

    The same call again goes on after the last finished epoch, also if the folder was moved or
    renamed, or images came, went, moved or changed: what is known of an image goes with it, by its
    key. A run that goes on keeps what it was started with; only what is passed now is compared
    with that, and refused if it would change the weights. With more `epochs` it trains for longer,
    and its schedules end there.

    Settings that are not passed are chosen from the number and size of the images, the device and
    the epochs; the plan, which is printed first, says why each is what it is. Seeds, dtype policy
    and signal handlers are left as they were found.

    All files are looked at before the first step. Bad ones are named and left out, up to `max_bad`
    or `max_bad_share` of them; for those that go bad later, others stand in.

    Args:
        data: Folder of images, by class or flat, or with `train/` and `test/`; a list of folders;
            a uint8 array (N, H, W, C); or a source of `keras_adasim.data`.
        out: Folder of the run: `report.html`, `result.json`, `log.csv`, `tensorboard/`,
            `checkpoints/`, `saved_model/`.
        backbone: A preset's name (`keras_adasim.backbones.PRESETS`), `"hub:PRESET"` for one of
            KerasHub, the folder of an earlier run or export, whose weights go on, or a
            `keras.Model`, itself trained on one device, and copied for several. `"auto"` is
            `"vit_small"` on a GPU, and `"vit_mini"` on a CPU.
        objective: Name of a module of `keras_adasim.objectives`, or an `Objective`.
        pairing: `"self"`, `"nearest"`, `"adasim"` or `"oracle"`.
        test_data: Labelled images that the k-NN classifies, of the kinds that `data` can be; by
            default those in the folder's `test/` or `val/`.
        augment: Augmentation of your own, see `SelfDistillation`; by default that of `policy`.
        callbacks: Keras callbacks of your own, called before those that save and print.
        defaults: Dict of an experiment's settings. With it nothing is chosen.
        fresh: Whether to start anew; an earlier run is kept under another name.
        accept_changes: Whether to go on even if more than half of the images are gone.
        dry_run: Whether to print the plan alone.
        **settings: Every other setting, by name: `keras-adasim pretrain --helpfull` lists them.

    With `strategy="multiworker"` the same call is made in several processes, of which the first one
    writes and prints.

    Returns:
        Dict that is also in `out/result.json`, in all processes; None after a dry run.

    Raises:
        ValueError: If an argument or setting is wrong; named, and nothing is written then.
        OSError: If a folder is missing.
        WorkerLostError: If one of several processes is gone.

    Example:
        ```python
        images = np.random.default_rng(0).integers(0, 256, (16, 8, 8, 3), "uint8")
        ka.pretrain(images, "run", backbone="vit_mini", epochs=2, dry_run=True)
        ```
    """
    axes = {"backbone": backbone, "objective": objective, "pairing": pairing}
    given = {name: value for name, value in axes.items() if not isinstance(value, Default)}
    building.check_parts(augment, callbacks, fresh, accept_changes, dry_run)
    folder = RunFolder(out)
    earlier = None if fresh else folder.recall()
    decision = Decision({**given, **settings}, earlier, defaults)
    strategy = devices.make_strategy(decision["devices"], decision["strategy"])
    lost, run = workers.names_the_lost(strategy), surroundings.of_a_run
    with lost, run(decision["seed"], decision["precision"]):
        sources = images.open_sources(data, test_data, folder, **decision.pick(images.open_sources))
        first_look = FirstLook(folder, earlier, **decision.pick(FirstLook))
        sources = first_look.training_images(sources[0]), first_look.test_images(sources[1])
        decision.settle("value_range", first_look.settle_range(*sources, decision["value_range"]))
        inventory = Inventory.of(sources[0])
        backup = Backup(
            folder.checkpoints,
            every_steps=decision["checkpoint_steps"] or None,
            images=inventory,
            accept_changes=accept_changes,
        )
        facts = {**inventory.facts(), "augment": augment and type(augment).__name__}
        chief = workers.is_chief(decision["strategy"])
        folder.check(earlier, facts["augment"], decision.given.get("epochs"), writes=chief)
        changes = backup.changes() if earlier else None
        sources = [images.keep_in_memory(source, decision["in_memory"]) for source in sources]
        model, dataset = building.build(sources[0], strategy, decision, folder.window, augment)
        kept = decision.to_remember()
        workers.check_equal(strategy, {**facts, **kept}, "Start all with the same command.")
        watchers = make_watchers(folder, sources, dataset, callbacks, backup, decision, first_look)
        plan = (model, dataset, sources, decision, folder, fresh, changes, first_look.lines())
        workers.told_by_chief(strategy, lambda: print_plan(*plan))
        Needs.of(model).check(folder, decision["epochs"], fresh)
        if dry_run:
            return None
        if fresh and chief:
            folder.set_aside()
        with folder.held(locks=chief) as check_held:
            if chief:
                model.step_hooks.append(check_held)
                folder.begin(kept, facts, planned(model, dataset, decision, data, watchers))
                first_look.write()
            return first_look.going_on(
                lambda: train(model, dataset, watchers, decision, folder, facts), model, dataset
            )


def train(model, dataset, watchers, decision, folder, facts):
    """Fits, exports the teacher and writes the result.

    Returns:
        Dict that is also in `result.json`.

    Raises:
        Stopped: After a signal, or when its time is up, once it is saved and printed how to go on.
    """

    def measure():
        return folder.measured_at_start(lambda: results.measure_start(model, watchers))

    strategy = model.distribute_strategy
    before = workers.told_by_chief(strategy, measure)
    find(watchers, CollapseAlarm).start = {"knn_top1": before["knn_before"], **before["before"]}
    try:
        with stops_after_a_step(model, find(watchers, Backup), decision["max_hours"]):
            model.fit(dataset, epochs=decision["epochs"], callbacks=watchers, verbose=0)
    except Stopped as reason:
        if writes_files(model):
            print(f"stopped ({reason}); the same call goes on after {folder.told}", flush=True)
        raise
    except CollapseError:
        page.write_at_end(folder, model, dataset.source)
        raise
    except NotFiniteError as error:
        known = any(folder.place)
        error.add_note(f"The last checkpoint is of {folder.told}" if known else "No checkpoint yet")
        raise

    def finish():
        return results.finish(folder, model, dataset.source, watchers, before, decision, facts)

    return workers.told_by_chief(strategy, finish)
