"""summary.json counts what is in the stores, and its baseline is the share of the more frequent label."""

from user_error import UserError

import hashlib
import json
from pathlib import Path

import pytest

from data_prep import stores, summary
from data_prep.photos import Outcome, Photo
from data_prep.readers.partitions import Partition
from data_prep.request import Request

RECORDS = ("0" * 16, "1" * 16)
WRITTEN, SMALL = (Outcome("written", "", *size, "", "ab" * 16, RECORDS) for size in ((640, 480), (900, 255)))
MISSING, CORRUPT = Outcome("missing", "no such file"), Outcome("corrupt", "cut off")


def request(views=("global", "local"), dataset="ava", out=Path("data")):
    return Request("mine", out, {"root": Path("photos")}, views, False, {"dataset": dataset, "seed": 3})


def photos(*labels, first=0, folder=Path("photos"), cell=""):
    return [Photo(str(n), folder, f"{n}.jpg", label, cell=cell) for n, label in enumerate(labels, first)]


def summarize(partition, outcomes, **options):
    """The summary; `outcomes` are those of the training photos, then those of the test photos."""
    middle = len(partition.train)
    return summary.summarize(request(**options), partition, {"train": outcomes[:middle], "test": outcomes[middle:]})


@pytest.fixture
def summarized():
    """More bad photos than good ones in the test split, and the other way round in training."""
    partition = Partition(photos(1, 1, 1, 0), photos(0, 0, 1, 0, 1, 0, first=10), [], "the rule", ("a note",))
    outcomes = [WRITTEN, SMALL, MISSING, WRITTEN, WRITTEN, SMALL, WRITTEN, WRITTEN, CORRUPT, MISSING]
    return summarize(partition, outcomes)


@pytest.mark.parametrize(
    ("good", "bad", "baseline"),
    [(3, 1, 75), (1, 3, 75), (0, 5, 100), (5, 0, 100), (2, 2, 50), (1, 2, 200 / 3), (0, 0, 0)],
)
def test_the_majority_baseline_is_the_share_of_the_more_frequent_label_be_it_good_or_bad(good, bad, baseline):
    assert summary.majority_baseline(good, bad) == pytest.approx(baseline)


def test_listed_and_written_photos_are_counted_by_split_label_and_fate(summarized):
    assert summarized["splits"] == {
        "train": {
            "listed": 4, "listed_good": 3, "listed_bad": 1, "written": 3, "good": 2, "bad": 1, "missing": 1,
            "corrupt": 0, "majority_baseline": pytest.approx(200 / 3),
        },
        "test": {
            "listed": 6, "listed_good": 2, "listed_bad": 4, "written": 4, "good": 1, "bad": 3, "missing": 1,
            "corrupt": 1, "majority_baseline": 75,
        },
    }  # fmt: skip


def test_the_baseline_of_the_dataset_is_that_of_the_written_test_photos_also_where_most_are_bad(summarized):
    assert summarized["majority_baseline"] == 75


def test_photos_that_the_local_view_enlarged_are_counted_and_none_without_that_view(summarized):
    assert summarized["enlarged"] == 2
    partition = Partition(photos(1), photos(0, first=1), [], "")
    outcomes = [Outcome("written", "", 256, 256, "", "", RECORDS), SMALL]
    assert summarize(partition, outcomes)["enlarged"] == 1
    assert summarize(partition, outcomes, views=("global",))["enlarged"] == 0
    assert summarize(partition, [MISSING, CORRUPT])["enlarged"] == 0


def test_avas_known_broken_photos_are_excused_and_no_other_datasets(tmp_path):
    broken = sorted(summary.known_broken())
    assert {"440774", "11066"} <= set(broken)
    assert all(name.isdecimal() for name in broken)
    partition = Partition([Photo(broken[0], Path(), "", 1), *photos(0)], photos(1, first=1), [], "")
    for dataset, counts in (("ava", (1, 1)), ("cuhkpq", (0, 2))):
        content = summarize(partition, [MISSING, CORRUPT, WRITTEN], dataset=dataset)
        assert (content["bad_photos"]["known_broken"], content["bad_photos"]["other"]) == counts


def test_the_lists_hash_is_that_of_id_and_label_in_record_order(summarized):
    text = "0 1\n1 1\n2 1\n3 0\n"
    assert summarized["lists_sha256"]["train"] == hashlib.sha256(text.encode()).hexdigest()


def test_what_was_left_out_is_counted_by_reason():
    excluded = [(photo, reason) for photo, reason in zip(photos(1, 0, 1), ("b", "a", "b"), strict=True)]
    content = summarize(Partition(photos(1), photos(0), excluded, ""), [WRITTEN] * 2)
    assert list(content["excluded"].items()) == [("a", 1), ("b", 2)]


def test_the_folders_that_paths_start_from_are_named_apart_for_extra_photos(tmp_path):
    own, extra = photos(1, folder=tmp_path / "own"), photos(0, folder=tmp_path / "more", cell="extra/bad")
    content = summarize(Partition(own, extra, [], ""), [WRITTEN] * 2, dataset="cuhkpq")
    assert content["roots"] == {"dataset": str(tmp_path / "own"), "extra": str(tmp_path / "more")}


def test_each_store_has_the_digest_of_its_records_in_order(summarized):
    assert summarized["stores_xxh3"]["train_global_lmdb"] == stores.store_digest(RECORDS[:1] * 3)
    assert summarized["stores_xxh3"]["test_local_lmdb"] == stores.store_digest(RECORDS[1:] * 4)
    assert len(set(summarized["stores_xxh3"].values())) == 4


@pytest.mark.parametrize(
    "changed", [{"inputs": None}, {"roots": "x"}, {"stores_xxh3": []}, {"excluded": {"a": None}}, {"splits": {}}]
)
def test_a_summary_with_wrong_types_is_called_damaged(tmp_path, summarized, changed):
    (tmp_path / "summary.json").write_text(json.dumps(summarized | changed))
    with pytest.raises(UserError, match=r"summary\.json is damaged"):
        summary.read(tmp_path, summary.KEYS)


def test_a_strangers_summary_is_never_advised_to_be_removed(tmp_path):
    (tmp_path / "summary.json").write_text('{"a": 1}')
    with pytest.raises(UserError, match="not that of a dataset of ours: choose another name or folder"):
        summary.read(tmp_path)


def test_it_is_read_back_and_is_none_where_there_is_none(tmp_path, summarized):
    assert summary.read(tmp_path) is None
    assert summary.read(tmp_path / "file" / "below") is None
    (tmp_path / "file").touch()
    assert summary.read(tmp_path / "file") is None
    (tmp_path / "summary.json").write_text(json.dumps(summarized))
    assert summary.read(tmp_path) == json.loads(json.dumps(summarized))
