"""Timing of small things: how long a call takes, from many batches, in µs."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)  # with slots, Python 3.12.1 can't make a Timed[int](…)
class Timed[T]:
    """A call to time, and what to call it with, batch by batch."""

    call: Callable[[T], object]
    batches: Sequence[Sequence[T]]


def time_in_turn[T](subjects: Sequence[Timed[T]]) -> list[list[float]]:
    """For each subject the mean time of a call, in µs, by batch; subjects take turns, batch by batch."""
    means: list[list[float]] = [[] for _ in subjects]
    gc.collect()
    for number in range(len(subjects[0].batches)):
        for subject, of_subject in zip(subjects, means, strict=True):
            of_subject.append(_time_batch(subject.call, subject.batches[number]))
    return means


def time_once(call: Callable[[], object]) -> float:
    """How long one call takes, in seconds."""
    gc.collect()
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def _time_batch[T](call: Callable[[T], object], batch: Sequence[T]) -> float:
    began = time.perf_counter_ns()
    for item in batch:
        call(item)
    return (time.perf_counter_ns() - began) / len(batch) / 1000
