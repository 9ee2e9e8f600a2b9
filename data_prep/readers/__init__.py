"""Copies of datasets, in the layouts in which they circulate -> photos -> training and test lists.

sources.py      the one interface of all readers: Source
partitions.py   photos -> the lists of the paper's partitions

ava.py          AVA: votes from AVA.txt (ava_table.py), Kaggle's shares (ava_shares.py) or Hugging Face's parquet files
                (ava_parquet.py, parquet.py); pictures wherever a copy has them (ava_pictures.py)
cuhkpq.py       CUHKPQ and its extra photos
own.py          photos of one's own: by a list (own_list.py, scores.py) or in two folders (own_folders.py)

lists.py        a user's list of photos: its text (sheets.py), its header (columns.py), a photo a row
folders.py      which pictures are where;  inputs.py: files that a user names, opened with care
"""
