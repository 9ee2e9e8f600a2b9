"""The paper's partitions: their sizes, their order, no photo in both lists, no dependence on listings."""

from user_error import UserError

import random
import resource
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.photos import Photo
from data_prep.readers import partitions
from data_prep.readers.ava import Copy, find_test_list
from data_prep.readers.ava_table import read_ids
from data_prep.readers.cuhkpq import CATEGORIES

FOLDER = Path("photos")
AVA_PHOTOS = 255_530
LISTED, LISTED_IN_AVA = 20_000, 19_930
CUHKPQ_CELLS = {  # shared facts on the real dataset: photos in each category, high and low quality
    "HighQuality": (953, 595, 678, 820, 353, 594, 531),
    "LowQuality": (2292, 1290, 2470, 1950, 1356, 1803, 2005),
}


def photo(number, total, votes, cell=""):
    return Photo(str(number), FOLDER, f"{number}.jpg", int(total >= 5 * votes), total, votes, votes, cell)


def ids(photos):
    return [photo.photo_id for photo in photos]


@pytest.fixture(scope="module")
def whole_ava(tmp_path_factory):
    """A root with an AVA.txt of 255,530 rows and the test list, 70 of whose 20,000 ids are not in it."""
    root = tmp_path_factory.mktemp("whole") / "ava"
    (root / "aesthetics_image_lists").mkdir(parents=True)
    generator = np.random.default_rng(5)
    numbers = generator.choice(958_297, AVA_PHOTOS + 70, replace=False) + 1
    counts = generator.integers(0, 60, (AVA_PHOTOS, 10))
    rows = np.column_stack([np.arange(AVA_PHOTOS), numbers[:AVA_PHOTOS], counts, np.zeros((AVA_PHOTOS, 3), int)])
    text = "\n".join(" ".join(map(str, row)) for row in rows.tolist())
    (root / "AVA.txt").write_text(text + "\n")
    listed = np.concatenate([numbers[:LISTED_IN_AVA], numbers[AVA_PHOTOS:]])
    generator.shuffle(listed)
    (root / "aesthetics_image_lists" / "generic_test.jpgl").write_text("\n".join(map(str, listed.tolist())))
    return root


@pytest.fixture(scope="module")
def whole_photos(whole_ava):
    return Copy(whole_ava, "large", 1).photos


def test_large_is_the_official_list_and_all_the_rest(whole_ava, whole_photos):
    test_ids = read_ids(find_test_list(whole_ava, whole_ava))
    partition = partitions.ava_large(whole_photos, test_ids, 1, Fraction(0))
    assert len(partition.test) == 19_930
    assert len(partition.train) == 235_600  # 235,599 in facts that miss one of the 255,530 ids
    assert set(ids(partition.test)) == set(test_ids) & set(ids(whole_photos))
    assert any("19,930 of the 20,000" in note for note in partition.notes)


def test_large_without_the_list_draws_20000_and_says_so(whole_photos):
    partition = partitions.ava_large(whole_photos, None, 1, Fraction(0))
    assert (len(partition.train), len(partition.test)) == (235_530, 20_000)
    assert any("generic_test.jpgl is missing" in note for note in partition.notes)


@pytest.mark.parametrize(("rule", "size"), [("decile-193k", 19_308), ("decile", 25_553), ("extreme", 19_308)])
def test_small_has_the_size_of_its_rule_and_balanced_halves(whole_photos, rule, size):
    partition = partitions.ava_small(whole_photos, rule, 1)
    assert (len(partition.train), len(partition.test)) == (size, size)
    good = [sum(photo.label for photo in split) for split in partition.splits().values()]
    assert abs(good[0] - good[1]) <= 1
    assert sum(good) == size
    excluded = [photo for photo, _ in partition.excluded]
    everyone = ids(partition.train) + ids(partition.test) + ids(excluded)
    assert len(everyone) == len(set(everyone)) == AVA_PHOTOS
    if rule == "extreme":  # cross-multiplied: exact
        bad = max((p for p in partition.train + partition.test if not p.label), key=exact_mean)
        good = min((p for p in partition.train + partition.test if p.label), key=exact_mean)
        for left in excluded:
            assert bad.total * left.votes <= left.total * bad.votes
            assert left.total * good.votes <= good.total * left.votes


def exact_mean(photo):
    return Fraction(photo.total, photo.votes)


def test_the_draw_of_193080_is_made_before_its_deciles(whole_photos):
    partition = partitions.ava_small(whole_photos, "decile-193k", 1)
    reasons = [reason for _, reason in partition.excluded]
    assert reasons.count("not drawn") == AVA_PHOTOS - 193_080
    assert reasons.count("between the two ends") == 193_080 - 2 * 19_308


def test_the_lists_of_the_whole_ava_take_under_five_seconds(whole_ava, data_prep):
    for options in ("--partition large", "--partition small"):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        ended = data_prep("ava", "--root", whole_ava, *options.split(), "--dry-run")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)  # of one process on one core
        assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 5
        assert ended.returncode == 0, ended.stderr
    assert "19,308 = 9,654 good + 9,654 bad" in ended.stdout
    assert "GB" in ended.stdout


def test_delta_leaves_out_training_photos_only_and_both_limits_with_them():
    photos = [photo(n, 500 + n, 100) for n in range(-60, 61)]  # means 4.40 to 5.60
    test_ids = ids(photos)[::2]
    partition = partitions.ava_large(photos, test_ids, 1, Fraction(1, 2))
    assert set(ids(partition.test)) == set(test_ids)
    assert all(abs(p.total - 500) > 50 for p in partition.train)
    assert {p.photo_id for p, _ in partition.excluded} == {
        p.photo_id for p in photos if abs(p.total - 500) <= 50 and p.photo_id not in test_ids
    }


def test_a_mean_of_exactly_5_stays_in_training_without_delta():
    photos = [photo(n, 50, 10) for n in range(10)]
    partition = partitions.ava_large(photos, ["0"], 1, Fraction(0))
    assert len(partition.train) == 9


def test_means_that_only_exact_arithmetic_tells_apart_are_ordered_by_it():
    # 10^8 votes: the two means differ by 10^-16, less than a double near 5 can resolve; shares have larger divisors
    votes = 10**8
    lower, higher = photo(7, 5 * votes - 1, votes), photo(3, 5 * votes + 4, votes + 1)
    assert lower.total / lower.votes != 5
    assert partitions._exact_rank(lower) < partitions._exact_rank(higher)
    assert Fraction(lower.total, lower.votes) < Fraction(higher.total, higher.votes)
    least, more = photo(7, 5 * 10**25 - 1, 10**25), photo(3, 5 * 10**25, 10**25)
    assert partitions._exact_rank(least) < partitions._exact_rank(more)
    third, same = photo(2, 1, 3), photo(10, 2, 6)
    assert partitions._exact_rank(third) < partitions._exact_rank(same)  # a tie: by id as a number


def test_cuhkpq_small_has_the_papers_totals():
    photos = [
        Photo(f"{quality}/{category}/{n}.jpg", FOLDER, "", label, cell=f"{quality}/{category}")
        for label, (quality, counts) in enumerate(sorted(CUHKPQ_CELLS.items(), reverse=True))
        for category, count in zip(CATEGORIES, counts, strict=True)
        for n in range(count)
    ]
    partition = partitions.cuhkpq(photos, [], 1)
    assert (len(partition.train), len(partition.test)) == (8_845, 8_845)
    for split in partition.splits().values():
        assert abs(sum("HighQuality" in p.cell for p in split) - 4_524 / 2) <= 3
    extra = [Photo(f"extra/{n}", FOLDER, "", n % 2, cell=f"extra/{n % 2}") for n in range(12_000)]
    large = partitions.cuhkpq(photos, extra, 1)
    assert (len(large.train), len(large.test)) == (14_845, 14_845)
    assert set(ids(partition.test)) < set(ids(large.test))  # small's split stays inside large's


def test_a_partition_that_would_be_empty_is_refused():
    with pytest.raises(UserError, match="no photo is left for test"):
        partitions.ava_large([photo(1, 5, 1)], ["2"], 1, Fraction(0))
    with pytest.raises(UserError, match="too few"):
        partitions.ava_small([photo(n, n, 1) for n in range(1, 9)], "decile", 1)


scores = st.lists(st.tuples(st.integers(10, 100), st.integers(10, 11)), min_size=40, max_size=90)


@settings(max_examples=60, deadline=None)
@given(
    scores=scores,
    seed=st.integers(0, 2**40),
    rule=st.sampled_from(["list", "draw", "decile-193k", "decile", "extreme"]),
    listing=st.randoms(use_true_random=False),
)
def test_no_photo_leaks_and_no_list_depends_on_the_order_of_a_listing(scores, seed, rule, listing):
    photos = [photo(100 + n, total, votes) for n, (total, votes) in enumerate(scores)]

    def partition(photos):
        if rule in ("list", "draw"):
            test_ids = [str(100 + n) for n in range(0, 40, 3)] if rule == "list" else None
            return partitions.ava_large(photos, test_ids, seed, Fraction(seed % 3, 4))
        return partitions.ava_small(photos, rule, seed)

    try:
        one = partition(photos)
    except UserError:  # delta left nothing
        return
    other = partition(listing.sample(photos, len(photos)))
    assert (one.train, one.test, one.excluded) == (other.train, other.test, other.excluded)
    parts = ids(one.train) + ids(one.test) + ids(p for p, _ in one.excluded)
    assert sorted(parts) == sorted(ids(photos))  # each photo in exactly one of the three


@settings(max_examples=60, deadline=None)
@given(
    counts=st.lists(st.integers(0, 9), min_size=2, max_size=16),
    seed=st.integers(0, 2**40),
    listing=st.randoms(use_true_random=False),
)
def test_halves_never_leak_and_differ_by_at_most_one(counts, seed, listing):
    photos = [photo(f"{cell}-{n}", 5, 1, f"cell {cell:02}") for cell, count in enumerate(counts) for n in range(count)]
    train, test = partitions.halves(photos, seed)
    again = partitions.halves(listing.sample(photos, len(photos)), seed)
    assert ([*train], [*test]) == again
    assert sorted(ids(train) + ids(test)) == sorted(ids(photos))
    assert abs(len(train) - len(test)) <= 1
    for cell, count in enumerate(counts):
        there = sum(p.cell == f"cell {cell:02}" for p in train)
        assert abs(2 * there - count) <= 1


def test_another_seed_is_another_draw_and_the_same_seed_the_same():
    photos = [photo(n, random.Random(n).randint(10, 100), 10) for n in range(300)]
    lists = [ids(partitions.ava_large(photos, None, seed, Fraction(0)).test) for seed in (1, 1, 2)]
    assert lists[0] == lists[1] != lists[2]
    assert lists[0] == ["131", "223", "235", *lists[0][3:]]  # on any machine, with any version
