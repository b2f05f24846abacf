"""The tables of a bank, kept with the names of the images that they are about."""

from keras_adasim.following import follow, follow_records
from keras_adasim.keys import Keys, as_keys


class KeyedTables:
    """What saving and loading a `NeighborBank` keeps beside its weights, and where rows go."""

    def save_own_variables(self, store):
        """Puts the keys beside the tables."""
        super().save_own_variables(store)
        for name, array in ({} if self.keys is None else self.keys.to_arrays("keys_")).items():
            store[name] = array

    def load_own_variables(self, store):
        """Reads the tables, and the keys where there are some.

        Raises:
            ValueError: If the keys are not those that the bank was given.
        """
        arrays = {name: store[name] for name in store.keys()}  # noqa: SIM118
        found = {name: arrays.pop(name) for name in list(arrays) if name.startswith("keys_")}
        if found:
            keys = as_keys(Keys.from_arrays(found, "keys_"), self.num_images)
            if self.keys not in (None, keys):
                raise ValueError(
                    "Expected a bank of the images whose keys `NeighborBank` was given. Received: "
                    f"other keys, {keys[0]!r} and so on. Load it without, and let "
                    "`SelfDistillation.follow` bring it to the images there are now."
                )
            self.keys = keys
        super().load_own_variables(arrays)

    @staticmethod
    def follow(tables, previous):
        """Turns the tables of other images into those of these.

        A row goes with its image. A new image has a row of zeros, as one that was never visited,
        and neighbors that are gone are left out of the records.

        Args:
            tables: Tuple of arrays `(features, ids, similarities)` of a bank of M images.
            previous: (N,) int64 array. Of each image now its index among the M, or -1.

        Returns:
            Tuple of arrays of a bank of N images.
        """
        features, ids, similarities = tables
        return follow(features, previous), *follow_records(ids, similarities, previous)
