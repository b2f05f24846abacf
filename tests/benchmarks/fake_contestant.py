"""Contestants that do no work; they import no framework, so that their processes start at once."""


class Fake:
    """Says that a round took `seconds`, and prints what nobody asked for."""

    seconds = {"step": 2.0, "input": 1.0, "whole": 4.0}

    def prepare(self, work):
        print("a library prints")
        self.work = work
        return {"versions": {"fake": "1"}, "device": "CPU", "parameters": 10}

    def round(self, kind):
        return {"seconds": self.seconds[kind], **({"peak": 3e9} if kind == "step" else {})}


class Slow(Fake):
    """Takes twice as long."""

    seconds = {kind: 2 * seconds for kind, seconds in Fake.seconds.items()}


class Failing(Fake):
    """Fails in its second round of steps."""

    rounds = 0

    def round(self, kind):
        self.rounds += kind == "step"
        if self.rounds == 2:
            raise MemoryError("too large\nby far")
        return super().round(kind)


class Dying(Fake):
    """Ends without an answer."""

    def prepare(self, work):
        raise SystemExit(3)
