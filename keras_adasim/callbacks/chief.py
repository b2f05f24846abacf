"""Which of several processes writes files."""


def writes_files(model):
    """Whether this process writes the run's files: the only one, or the chief of several."""
    strategy = model.distribute_strategy
    return strategy is None or strategy.extended.should_checkpoint
