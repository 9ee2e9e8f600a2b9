"""A copy whose pictures were warped or scaled down before is known by their sizes; real ones are not taken for it."""

from user_error import UserError

from collections import Counter

import pytest

from data_prep.sizes import require_local_view

MANY = Counter({(640, 300 + n): 1 for n in range(100)})  # the same longer side, as AVA has it


@pytest.mark.parametrize("size", [(256, 256), (224, 224), (512, 512), (640, 480)])
def test_over_nine_in_ten_pictures_of_one_size_are_a_warped_copy(size):
    with pytest.raises(UserError, match=rf"91 of 100 pictures are {size[0]}x{size[1]}.*--views global"):
        require_local_view("root", Counter({size: 91, (700, 701): 9}), is_own=False)
    require_local_view("root", Counter({size: 90, (700, 701): 10}), is_own=False)


def test_pictures_whose_shorter_side_is_a_views_were_scaled_down():
    scaled = Counter({(256, 256 + n): 1 for n in range(50)} | {(256 + n, 256): 1 for n in range(1, 50)})
    with pytest.raises(UserError, match=r"99 of 99 pictures have a side of 256 pixels or less"):
        require_local_view("root", scaled, is_own=True)


@pytest.mark.parametrize("is_own", [True, False])
def test_pictures_of_many_sizes_are_photos_also_with_the_same_longer_side_or_some_small_ones(is_own):
    require_local_view("root", MANY, is_own)
    require_local_view("root", MANY + Counter({(200, 256 + n): 1 for n in range(100)}), is_own)


def test_photos_of_ones_own_may_all_come_from_one_camera_but_are_not_all_square():
    require_local_view("root", Counter({(6000, 4000): 100}), is_own=True)
    with pytest.raises(UserError, match="512x512"):
        require_local_view("root", Counter({(512, 512): 100}), is_own=True)


def test_a_few_pictures_prove_nothing():
    require_local_view("root", Counter({(256, 256): 31}), is_own=False)
