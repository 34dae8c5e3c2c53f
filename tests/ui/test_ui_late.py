"""What the worker needs is there before it begins."""

import threading
from collections.abc import Iterator

import pytest

from studio.ui import late


def test_the_libraries_come_in_before_the_first_job(monkeypatch: pytest.MonkeyPatch) -> None:
    done, order = threading.Event(), []
    monkeypatch.setattr(late, "libraries", lambda: order.append("libraries"))

    def job(_: object) -> Iterator[object]:
        order.append("job")
        done.set()
        yield

    worker = late.LateWorker()
    worker.submit("first", job)
    assert done.wait(30) and order == ["libraries", "job"]
    worker.shutdown()
