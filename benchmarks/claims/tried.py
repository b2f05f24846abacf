"""What was tried before the experiment, and why these settings."""

TRIED = """\
## Settings, and what was tried

"""
