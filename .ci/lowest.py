"""Prints setup.cfg's requirements at the lowest version that it allows, as constraints for pip."""

import configparser
import pathlib
import re
import sys

EXTRAS = ("test",)


def constraints(path):
    """Lines NAME==VERSION of the requirements in a setup.cfg, those of the tests too.

    Raises:
        ValueError: If a requirement has no lowest version.
    """
    config = configparser.ConfigParser()
    config.read(path)
    lists = [config["options"]["install_requires"]]
    lists += [config["options.extras_require"][extra] for extra in EXTRAS]
    lines = []
    for requirement in "\n".join(lists).split():
        match = re.match(r"([\w.-]+)>=([\w.]+)", requirement)
        if not match:
            raise ValueError(f"Expected NAME>=VERSION in setup.cfg. Received: {requirement}")
        lines.append(f"{match[1]}=={match[2]}")
    return lines


if __name__ == "__main__":
    print("\n".join(constraints(pathlib.Path(sys.argv[1]))))
