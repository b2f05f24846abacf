from keras_adasim.commands import counting


def test_the_time_left_follows_from_what_came_after_the_first(monkeypatch, capsys):
    now = [0.0]
    monkeypatch.setattr(counting.time, "monotonic", lambda: now[0])
    with counting.Counting("training", 10, "steps") as counted:
        for seconds in (60, 1, 1, 20, 20, 1, 1, 1, 1, 1):  # The first is compiled.
            now[0] += seconds
            counted.add(1)
    assert capsys.readouterr().out.splitlines() == [
        "training: 1/10 steps",
        "training: 4/10 steps, 0.14 a second, left 0:44",
        "training: 5/10 steps, 0.095 a second, left 0:52",
        "training: 10 steps, 0.093 a second",
    ]
