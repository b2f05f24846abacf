"""Gives a wrong value to something public, and judges what is said of it."""

import contextlib
import inspect
import io
import re

from benchmarks.wrong.values import KIND_OF, PASSED_OVER, WRONG


class Subject:
    """Something public to call with right arguments, of which one is then replaced.

    Args:
        function: What is called.
        given: Dict of right arguments, at least of those without a default.
        kinds: Dict of arguments to their kind, where their name has another one elsewhere.
        name: How it is listed.
    """

    def __init__(self, function, given=None, kinds=None, name=None):
        self.function, self.given, self.kinds = function, given or {}, kinds or {}
        self.name = name or function.__name__
        self.signature = inspect.signature(function)

    def cases(self):
        """Yields tuples of an argument's name, its kind and a wrong value."""
        parameters = self.signature.parameters.items()
        parameters = {n: p for n, p in parameters if p.kind is not p.VAR_KEYWORD}
        for name in {**parameters, **self.kinds}:
            if name in PASSED_OVER and name not in self.kinds:
                continue
            if name == "name" and self.given.get("name") is None:
                continue  # Keras' own.
            default = parameters[name].default if name in parameters else inspect.Parameter.empty
            kind = self.kinds.get(name) or KIND_OF[name]
            for value in WRONG[kind]:
                if not is_default(value, default):
                    yield name, kind, value

    def answer(self, name, value):
        """What is said of a wrong value: outcome and message."""
        try:
            with quiet():
                self.function(**{**self.given, name: value})
        except Exception as error:
            return judge(error, rf"`{name}`|\b{name}=")
        return "accepted", ""


def is_default(value, default):
    """Whether a value is what the argument is by itself, and so right."""
    if isinstance(default, tuple) and not default:
        return value in ([], ())
    return value is default or (isinstance(default, str) and value == default)


def judge(error, name):
    """Outcome and message of an error that came of a wrong argument."""
    message = ". ".join([str(error), *getattr(error, "__notes__", ())])
    ours = isinstance(error, ValueError | TypeError | OSError) and "Expected" in message
    if ours and re.search(name, message) and "Received" in message:
        return "named", message
    return "unnamed" if ours else "raw", f"{type(error).__name__}: {message}"


@contextlib.contextmanager
def quiet():
    """Without what is printed."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


def ask(asked):
    """Yields tuples of a subject's name, an argument's, the value, the outcome and the message."""
    for subject in asked:
        for name, _, value in subject.cases():
            yield subject.name, name, value, *subject.answer(name, value)


def shown(subject, name, value, outcome, message):
    """An answer in one line."""
    return f"{subject} {name}={value!r:.60}: {outcome}: {message:.240}".replace("\n", " ")


def row(group, counts):
    """A line of the table."""
    cells = [counts[outcome] for outcome in ("named", "unnamed", "raw", "accepted")]
    return f"| {' | '.join(map(str, [group, sum(cells), *cells]))} |"
