"""A photo on which a worker died is tried once more, and no more than that."""

from user_error import UserError

import multiprocessing
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import cv2
import pytest

from data_prep import workers
from data_prep.photos import Photo
from data_prep.records import Wanted


def statuses_with_deaths(path: Path, before_death: Callable[[], object]) -> tuple[list[str], int]:
    """What becomes of two good photos and, between them, a pipe that no one writes to, and how many workers died.

    Each worker that reads the pipe is killed; `before_death` is called first.
    """
    photos = [Photo(name, path, f"{name}.png", 1) for name in ("good", "deadly", "good too")]
    os.mkfifo(path / "deadly.png")
    over, deaths = threading.Event(), []

    def kill_what_hangs():
        while not over.wait(0.05):
            for child in multiprocessing.active_children():
                with suppress(FileNotFoundError):  # it has ended meanwhile
                    is_waiting = Path(f"/proc/{child.pid}/wchan").read_text() == "wait_for_partner"
                    if is_waiting and child.pid not in deaths:
                        before_death()
                        deaths.append(child.pid)
                        child.kill()

    killer = threading.Thread(target=kill_what_hangs)
    killer.start()
    try:
        with workers.decoded(photos, Wanted(("global",), False), 1) as results:
            return [outcome.status for outcome, _ in results], len(deaths)
    finally:
        over.set()
        killer.join()


@pytest.fixture
def folder(tmp_path, draw_picture):
    for name in ("good", "good too", "whole"):
        cv2.imwrite(str(tmp_path / f"{name}.png"), draw_picture(1))
    return tmp_path


def test_a_photo_is_decoded_if_the_worker_died_on_it_by_chance(folder):
    whole = folder / "whole.png"
    statuses, deaths = statuses_with_deaths(folder, lambda: whole.replace(folder / "deadly.png"))
    assert (statuses, deaths) == (["written"] * 3, 1)


def test_a_photo_is_given_up_after_two_workers_died_on_it(folder):
    assert statuses_with_deaths(folder, lambda: None) == (["written", "corrupt", "written"], 2)


def test_our_own_mistake_in_a_worker_is_raised_and_not_laid_on_the_photo(folder):
    photos = [Photo("good", folder, "good.png", 1)]
    with pytest.raises(KeyError, match="sideways"), workers.decoded(photos, Wanted(("sideways",), False), 1) as results:
        next(results)


def test_workers_that_die_before_any_photo_are_not_replaced_for_ever(folder, monkeypatch):
    monkeypatch.setattr(workers, "_work", os._exit)  # which takes other arguments, so the process ends
    monkeypatch.setattr(workers, "MAX_IDLE_DEATHS", 2)
    photos = [Photo("good", folder, "good.png", 1)]
    with pytest.raises(UserError, match="--jobs"), workers.decoded(photos, Wanted(("global",), False), 1) as results:
        next(results)
