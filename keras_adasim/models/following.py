"""A model that goes on with other images than it was trained on."""

from keras_adasim import pairing as pairings
from keras_adasim.keys import Keys
from keras_adasim.models import checks
from keras_adasim.models.training_step import TrainingStep


class Following:
    """Lets what a `SelfDistillation` remembers of its images follow them."""

    def follow(self, keys):
        """Goes on with other images: what is remembered of an image goes with its key.

        A new image has no row in the bank, and its gate stays closed until the window is full of
        its own records. Records of images that are gone are left out. It replaces `pairing` and
        `bank`, so make the data set afterwards. Schedules count steps, of which an epoch may have
        more or fewer now.

        Args:
            keys: The `keys` of the source there is now.

        Raises:
            ValueError: If neither `pairing` nor `bank` was given keys, which say what image a row
                belongs to.
        """
        keys = keys if isinstance(keys, Keys) else Keys(keys)
        before = checks.remembered_keys(self)
        if before is None:
            raise ValueError(
                "Expected a model whose `pairing` or `bank` knows the images by their keys. "
                "Received: none. Give them the `keys` of the source when they are built, before "
                "the model is trained and saved."
            )
        previous = before.find(keys)
        with self.distribute_strategy.scope():
            pairing, bank = self._pairing_of(keys, previous), self._bank_of(keys, previous)
            self._tracker.untrack(self.bank)
            self.pairing, self.bank = pairing, bank
            if self.compiled:
                parts = self.training_step.accumulation_steps
                self.training_step = TrainingStep(self, self.compiles, parts)
                self.make_train_function(force=True)

    def _pairing_of(self, keys, previous):
        if self.pairing.num_images is None:
            return self.pairing
        description = pairings.serialize(self.pairing)
        config = {**description["config"], "num_images": len(keys)}
        pairing = pairings.deserialize({**description, "config": config})
        state = pairing.follow(self.pairing.get_state(records=False), previous)

        def records(epoch):
            return pairing.follow_epoch(self.pairing.epoch_records(epoch), previous)

        pairing.set_state(state, records)
        pairing.keys = keys
        return pairing

    def _bank_of(self, keys, previous):
        if self.bank is None:
            return None
        bank = type(self.bank).from_config({**self.bank.get_config(), "num_images": len(keys)})
        bank.set_weights(bank.follow(self.bank.tables(), previous))
        bank.keys = keys
        return bank
