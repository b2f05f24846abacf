"""Commands that judge or convert backbones: `python -m evaluation.NAME --help`."""
