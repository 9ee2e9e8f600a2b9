"""Photos on disk -> lists -> views -> LMDBs: every partition of the paper, every photo accounted for.

ava.py, cuhkpq.py   a copy on disk -> photos (photos.py): id, path, score, label
                    ava_table.py, ava_shares.py, ava_parquet.py read AVA's votes, ava_pictures.py finds its pictures
own_list.py, own_folders.py, own.py    a user's own list or folders -> photos and their split; lists.py reads the list:
                    sheets.py its text, columns.py its header; folders.py says which pictures are where
partitions.py       photos -> the training and test lists of one of the paper's partitions
prepare.py          lists -> a complete dataset: space.py (does it fit?), then unfinished.py, a checkpoint at a time:
spool.py copies pictures out of parquet files (parquet.py);
workers.py decode (decoder.py), cut views (views.py) and make records (records.py);
lmdb_store.py stores them, journal.py remembers what became of each photo
manifest.py         manifest.csv: every photo, one line; summary.py: summary.json, the last file written
"""
