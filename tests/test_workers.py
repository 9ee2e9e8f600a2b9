"""A photo on which a worker died is tried once more, and no more than that."""

from user_error import UserError

import os
import signal
from pathlib import Path

import cv2
import pytest

from data_prep import records, workers
from data_prep.photos import Photo
from data_prep.pictures import Place
from data_prep.records import Wanted

work = workers._work


def decoded(photos: list[Photo], jobs: int = 1, view: str = "global") -> list[str]:
    """What becomes of photos."""
    with workers.pool(Wanted((view,), False), jobs, len(photos)) as pool:
        return [outcome.status for outcome, _ in pool.decoded(photos, lambda photo: Place(str(photo.file)))]


def statuses_with_deaths(path: Path, monkeypatch, deadly: int) -> tuple[list[str], int]:
    """What becomes of two good photos and, between them, one on which `deadly` workers die; how many have died."""
    photos = [Photo(name, path, f"{name}.png", 1) for name in ("good", "deadly", "good too")]
    deaths = path / "deaths"
    deaths.write_bytes(b"")
    monkeypatch.setenv("DEATHS", str(deaths))
    monkeypatch.setenv("DEADLY", str(deadly))
    monkeypatch.setattr(workers, "_work", _work_and_die)
    return decoded(photos), len(deaths.read_bytes())


def _work_and_die(*arguments) -> None:
    """A worker that dies on reading a deadly photo, as often as the environment says."""
    read = records.read

    def deadly_read(place: Place) -> bytes:
        deaths = Path(os.environ["DEATHS"])
        if "deadly" in place.path and len(deaths.read_bytes()) < int(os.environ["DEADLY"]):
            with deaths.open("ab") as file:
                file.write(b"+")
            os.kill(os.getpid(), signal.SIGKILL)
        return read(place)

    records.read = deadly_read
    work(*arguments)


@pytest.fixture
def folder(tmp_path, draw_picture):
    for name in ("good", "good too", "deadly"):
        cv2.imwrite(str(tmp_path / f"{name}.png"), draw_picture(1))
    return tmp_path


def test_a_photo_is_decoded_if_the_worker_died_on_it_by_chance(folder, monkeypatch):
    assert statuses_with_deaths(folder, monkeypatch, deadly=1) == (["written"] * 3, 1)


def test_a_photo_is_given_up_after_two_workers_died_on_it(folder, monkeypatch):
    assert statuses_with_deaths(folder, monkeypatch, deadly=9) == (["written", "corrupt", "written"], 2)


def test_workers_take_other_photos_when_those_before_were_given_up(folder):
    place = folder / "good.png"
    many = [Photo(str(number), folder, "good.png", 1) for number in range(100)]
    with workers.pool(Wanted(("global",), False), 2, len(many)) as pool:
        for photos in (many, many[:3]):
            results = pool.decoded(photos, lambda _: Place(str(place)))
            assert next(results)[0].status == "written"
        assert [outcome.status for outcome, _ in results] == ["written"] * 2


def test_our_own_mistake_in_a_worker_is_raised_and_not_laid_on_the_photo(folder):
    with pytest.raises(KeyError, match="sideways"):
        decoded([Photo("good", folder, "good.png", 1)], view="sideways")


def test_workers_that_die_before_any_photo_are_not_replaced_for_ever(folder, monkeypatch):
    monkeypatch.setattr(workers, "_work", os._exit)  # which takes other arguments, so the process ends
    monkeypatch.setattr(workers, "MAX_IDLE_DEATHS", 2)
    with pytest.raises(UserError, match="--jobs"):
        decoded([Photo("good", folder, "good.png", 1)])
