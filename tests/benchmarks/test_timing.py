from __future__ import annotations

from benchmarks.timing import Timed, time_in_turn, time_once


def test_subjects_take_turns_batch_by_batch() -> None:
    calls: list[tuple[str, int]] = []
    first = Timed[int](lambda n: calls.append(("first", n)), [[1, 2], [3]])
    second = Timed[int](lambda n: calls.append(("second", n)), [[4], [5, 6]])
    means = time_in_turn([first, second])
    assert calls == [("first", 1), ("first", 2), ("second", 4), ("first", 3), ("second", 5), ("second", 6)]
    assert [len(of_subject) for of_subject in means] == [2, 2]
    assert all(mean > 0 for of_subject in means for mean in of_subject)


def test_one_call_is_timed_in_seconds() -> None:
    assert 0 < time_once(lambda: sum(range(1000))) < 60
