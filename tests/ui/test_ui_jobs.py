"""Long work on pictures: followed, cut off, failed; and what was done by then counts."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from studio.errors import DataError
from studio.events import Progress
from studio.ui.jobs import Job, Jobs


def ended(work: Any, after: Any = None) -> tuple[Jobs, Job]:
    jobs = Jobs()
    job = jobs.start("background", lambda: work(jobs), after)
    assert job.over.wait(60)
    return jobs, job


def test_what_was_done_before_the_end_counts() -> None:
    def whole(_: Jobs) -> Iterator[Any]:
        yield Progress(stage="masking", done=1, total=1)
        yield 1

    def cancelled(jobs: Jobs) -> Iterator[Any]:
        jobs.cancel()
        yield Progress(stage="masking", done=1, total=2)
        yield 2

    def failed(_: Jobs) -> Iterator[Any]:
        yield Progress(stage="masking", done=1, total=2)
        raise DataError("The second is torn.")

    def never(_: Jobs) -> Iterator[Any]:
        raise DataError("There is no such folder.")
        yield

    for work, state, given in ((whole, "done", [1]), (cancelled, "cancelled", [None]), (failed, "failed", [None])):
        got: list[Any] = []
        assert ended(work, got.append)[1].state == state and got == given
    assert ended(failed)[1].error == "The second is torn."
    assert ended(never, lambda _: pytest.fail("nothing was done"))[1].error == "There is no such folder."


def test_one_job_at_a_time() -> None:
    jobs, free = Jobs(), threading.Event()
    job = jobs.start("import", lambda: iter([free.wait(60)]))
    with pytest.raises(DataError, match="wait for that"):
        jobs.start("prepare", lambda: iter([1]))
    free.set()
    assert job.over.wait(60)
    jobs.forget()
    assert jobs.now is None and jobs.key == ()
