"""`keras-adasim report`: one page about a run, or several."""

from absl import flags

from keras_adasim.commands.running import run
from keras_adasim.pretraining.page import write_page

DESCRIPTION = """
Writes one self-contained HTML page about a run, finished or still going:

    keras-adasim report runs/photos

It begins with a verdict in plain words. Of several runs it sets results, settings and curves side
by side, with differences and their standard errors:

    keras-adasim report runs/photos runs/others --out=comparison.html
"""


def main(argv=None, program="report"):
    """Reads the flags and writes the page."""
    run(program, DESCRIPTION, define, start, argv, required=("run",), words="run")


def define(values):
    """Defines the flags."""
    text = "Folder of a run; needs no flag before it. Several for several."
    flags.DEFINE_multi_string("run", None, text, flag_values=values)
    text = "File to write; report.html in the run's folder, comparison.html here for several."
    flags.DEFINE_string("out", None, text, flag_values=values)
    text = "Folder of the training images, where they have moved. Several times for several."
    flags.DEFINE_multi_string("data_dir", None, text, flag_values=values)


def start(values):
    """Writes the page with parsed flags."""
    print(write_page(values.run, values.out, values.data_dir))
