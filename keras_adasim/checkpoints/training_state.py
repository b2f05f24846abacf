"""Everything that decides what comes next in a training, as groups of arrays, and back."""

import contextlib
import functools

import tensorflow as tf

from keras_adasim.checkpoints.checkpoint import shard_name
from keras_adasim.checkpoints.large_array import parts, whole_or_large
from keras_adasim.finite import check_finite
from keras_adasim.layers.copies import read_copies, read_part
from keras_adasim.layers.keyed_tables import TABLES


class TrainingState:
    """The state of a model that is trained: weights, momenta, seeds, and what a pairing knows.

    Args:
        model: A compiled, built `keras.Model`. Of a `SelfDistillation` bank and pairing are
            groups of their own, and the pairing's records are apart.
    """

    def __init__(self, model):
        self.model = model
        self.pairing = getattr(model, "pairing", None)
        self.bank = getattr(model, "bank", None)

    def groups(self, within_epoch=False):
        """What `Checkpoint.write` takes.

        Args:
            within_epoch: Whether the means of the running epoch belong to it.
        """
        variables = self._variables()
        groups = {name: functools.partial(_arrays, group) for name, group in variables.items()}
        groups = {**self.shards(), **groups}
        if within_epoch:
            means = self.model.metrics_variables
            groups["means"] = functools.partial(_arrays, means, read_copies)
        if self.pairing is not None:
            groups["pairing"] = self.pairing.get_state(records=False).items
        return groups

    def shards(self):
        """The bank, as groups: whole, or those of its shards that this process has."""
        if self.bank is None:
            return {}
        rows = self.bank.rows_kept
        return {
            shard_name("bank", shard, rows.num_shards): functools.partial(self._tables, shard)
            for shard in rows.shards_here
        }

    def _tables(self, shard):
        """Names and arrays of a bank's tables, or of a share of them, read one by one."""
        rows, earlier = self.bank.rows_kept, self.bank.earlier_rows
        first, last = rows.bounds(shard)
        for place, name in enumerate(TABLES):
            table = rows.tables[place]
            dtype = tf.as_dtype(table.dtype).as_numpy_dtype
            read = functools.partial((earlier or rows).read_shard, place, shard)
            shape = last - first, *table.shape[1:]
            yield f"{place:05} {name}", whole_or_large(shape, dtype, read, earlier is not None)

    def earlier_rows(self):
        """A context in which a large bank is read as it was at its begin, also while it trains."""
        return self.bank.earlier_rows.kept() if self.writes_later else contextlib.nullcontext()

    @property
    def writes_later(self):
        """Whether the bank is so large that it is written while training goes on."""
        return self.bank is not None and self.bank.earlier_rows is not None

    @property
    def is_spread(self):
        """Whether the bank's shards are those of several workers, each of which has its own."""
        return self.bank is not None and self.bank.is_spread

    def windows(self):
        """Dict of epochs to functions that return what they recorded."""
        if self.pairing is None:
            return {}
        kept = self.pairing.epochs_kept()
        return {epoch: functools.partial(self.pairing.epoch_records, epoch) for epoch in kept}

    def bytes(self):
        """Bytes of all but the records."""
        variables = [variable for group in self._variables().values() for variable in group]
        total = sum(v.shape.num_elements() * v.value.dtype.size for v in variables)
        rows = None if self.bank is None else self.bank.rows_kept
        return total if rows is None else total + rows.num_shards * rows.memory_bytes()

    def check_finite(self, what, and_bank=True):
        """Raises NotFiniteError, naming `what`, if there is a number that isn't."""
        variables = [v for group in self._variables().values() for v in group]
        has_bank = and_bank and self.bank is not None
        check_finite(
            [*(self.bank.rows_kept.variables_here() if has_bank else []), *variables], what
        )

    def restore(self, checkpoint, previous=None):
        """Takes over what a `Checkpoint` holds.

        Args:
            checkpoint: The `Checkpoint`.
            previous: (N,) int64 array where it is of other images: of each image now the index that
                it had there, or -1. Rows of bank and pairing go with their images.

        Returns:
            List of the arrays of a running epoch's means, which `fit` would reset at its begin.

        Raises:
            ValueError: If it is of a model of another shape. Nothing changes then.
        """
        variables = self._variables()
        self._check_shapes(checkpoint.manifest["shapes"], previous)
        self._check_row_dtype(checkpoint.manifest)
        for name, group in variables.items():
            arrays = (array for _, array in checkpoint.group(name))
            for variable, array in zip(group, arrays, strict=True):
                variable.assign(_typed(array, variable))
        if self.bank is not None:
            self._restore_bank(checkpoint, previous)
        if self.pairing is not None:
            self._restore_pairing(checkpoint, previous)
        return [array for _, array in checkpoint.group("means")] if checkpoint.place[1] else []

    def shapes(self):
        """Dict of the groups' names to lists of shapes, by which models are told apart."""
        shapes = {
            name: [list(variable.shape) for variable in group]
            for name, group in self._variables().items()
        }
        if self.bank is not None:
            shapes["bank"] = self.bank.table_shapes
        return shapes if self.pairing is None else shapes | {"pairing": self.pairing.shapes()}

    def facts(self):
        """Dict of what else a manifest says of it."""
        facts = {"shapes": self.shapes()}
        return facts if self.bank is None else facts | {"row_dtype": self.bank.row_dtype}

    def _restore_bank(self, checkpoint, previous):
        """Whoever owns a row takes it, into however many shards it was written."""
        if previous is not None:
            tables = self.bank.follow(tuple(checkpoint.joined("bank")), previous)
            self.bank.set_weights(tables)
            return
        first = 0
        for shard in checkpoint.shards("bank"):
            for place, (_, array) in enumerate(checkpoint.group(shard)):
                for start, end in parts(len(array), array[:1].nbytes):
                    self.bank.rows_kept.assign(place, first + start, array[start:end])
            first += len(array)

    def _restore_pairing(self, checkpoint, previous):
        state, records = dict(checkpoint.group("pairing")), checkpoint.window
        if previous is not None:
            state = self.pairing.follow(state, previous)

            def records(epoch):
                return self.pairing.follow_epoch(checkpoint.window(epoch), previous)

        self.pairing.set_state(state, records)

    def _check_shapes(self, saved, previous):
        for kind, shapes in self.shapes().items():
            found = saved.get(kind)
            if previous is not None and kind in ("bank", "pairing"):
                shapes, found = _of_a_row(shapes), found and _of_a_row(found)
            if shapes != found:
                raise ValueError(
                    f"{len(saved.get(kind, []))} variables of the {kind} saved, {len(shapes)} "
                    "here, or of other shapes"
                )

    def _check_row_dtype(self, manifest):
        if self.bank is None:
            return
        saved = manifest.get("row_dtype", "float32")
        if saved != self.bank.row_dtype:
            raise ValueError(
                f"a bank of {saved} rows saved, `row_dtype`={self.bank.row_dtype} here"
            )

    def _variables(self):
        """Groups of variables that all replicas have; the bank's are apart."""
        model, optimizer = self.model, getattr(self.model, "optimizer", None)
        groups = {
            "model": model.variables,
            "optimizer": optimizer.variables if optimizer is not None else [],
        }
        apart = [*model.metrics_variables, *(self.bank.variables if self.bank is not None else [])]
        known, found = {id(variable) for variable in apart}, {}
        for name, group in groups.items():
            group = {id(variable): variable for variable in group if id(variable) not in known}
            known |= set(group)
            if group:
                found[name] = list(group.values())
        return found


def _arrays(variables, read=None):
    """Names and arrays of variables, read one by one."""
    for place, variable in enumerate(variables):
        array = _array_of(variable) if read is None else read(variable)
        yield f"{place:05} {variable.path.replace('/', ' ')}", array


def _array_of(variable):
    def read(start, end):
        return read_part(variable, start, end) if end else variable.numpy()

    return whole_or_large(variable.shape, variable.value.dtype.as_numpy_dtype, read)


def _of_a_row(shapes):
    """Shapes of tables without their number of rows."""
    if isinstance(shapes, dict):
        return {name: shape[1:] for name, shape in shapes.items()}
    return [shape[1:] for shape in shapes]


def _typed(array, variable):
    """An array in the variable's type, which NumPy may not know: then it was saved as bytes."""
    dtype = variable.value.dtype.as_numpy_dtype
    return array.view(dtype) if array.dtype.kind == "V" else array
