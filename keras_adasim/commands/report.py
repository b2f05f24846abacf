"""`keras-adasim report`: one page about a run, or several."""

from absl import flags

from keras_adasim.commands.running import run
from keras_adasim.pretraining.page import write_page

DESCRIPTION = """
Writes one self-contained HTML page about a run, finished or still going:

    keras-adasim report runs/photos

It begins with a verdict in plain words, and has the doctor's findings, where they lie in doctor/ in
the run's folder, or in --doctor. Where the images can't be read, the pictures of an earlier page
stay. Of several runs it sets results, settings and curves side by side, with differences and their
standard errors:

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
    text = "Folder that `keras-adasim doctor` wrote; doctor/ in the run's folder, if it is there."
    flags.DEFINE_string("doctor", None, text, flag_values=values)
    text = "Keep the pictures of the page that stands there, where the images can't be read now."
    flags.DEFINE_bool("keep_pictures", True, text, flag_values=values)


def start(values):
    """Writes the page with parsed flags."""
    flags = values.doctor, values.keep_pictures, say
    print(write_page(values.run, values.out, values.data_dir, *flags))


def say(line):
    """Prints what was kept, and what can be done about it."""
    print(f"{line}; --data_dir says where they are, --nokeep_pictures goes without")
