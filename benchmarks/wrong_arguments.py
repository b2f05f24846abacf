"""Gives wrong values to every public argument and every flag, and reads what is said of them.

    python -m benchmarks.wrong_arguments [--list]

What is wrong for an argument follows from its kind: a count can't be NaN, a string, True or a list;
a range can't be reversed. A value that is an argument's own default is left out, and so is one of
the type that the default has where the kind takes several. An answer is

- named: a ValueError, TypeError or OSError that names the argument (a flag as it is typed, on one
  line, with status 2) and tells what came;
- unnamed: an error of ours without the name, or without what came;
- raw: any other error;
- accepted: none. No wrong value may be.

What isn't named is shown as it comes; `--list` shows every answer. It takes some minutes.
"""

import argparse
import collections
import os
import pathlib
import sys
import tempfile

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from benchmarks.wrong.arguments import subjects
from benchmarks.wrong.asking import ask, row, shown
from benchmarks.wrong.flags import flags_of_others, flags_of_pretrain, make_files


def main():
    """Asks all and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--list", action="store_true", help="show every answer")
    parser.add_argument("--only", help="groups of arguments, such as losses,data")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        make_files(folder)
        groups = subjects(folder)
        groups["flags of pretrain"] = list(flags_of_pretrain(folder))
        groups["flags of the others"] = list(flags_of_others(folder))
        print("| arguments of | values | named | unnamed | raw | accepted |")
        print("|---|---|---|---|---|---|")
        total = collections.Counter()
        for group, asked in groups.items():
            if options.only and group not in options.only.split(","):
                continue
            counts = collections.Counter()
            for answer in ask(asked):
                counts[answer[3]] += 1
                if options.list or answer[3] != "named":
                    print(shown(*answer), file=sys.stderr, flush=True)
            total += counts
            print(row(group, counts), flush=True)
        print(row("all", total))
    sys.exit(sum(total.values()) > total["named"])


if __name__ == "__main__":
    main()
