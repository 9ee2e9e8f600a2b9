"""Photos on disk -> lists -> views -> LMDBs: every partition of the paper, every photo accounted for.

readers/        a copy on disk -> photos (photos.py) -> the training and test lists of a partition
request.py      what a call asks for: a name, its place, and the parameters that decide the records
prepare.py      lists -> a complete dataset: it fits (space.py), it grows (unfinished.py), it is published whole

A dataset grows a checkpoint at a time:
workers.py      processes that read a photo's bytes (pictures.py, spool.py for those in parquet files), decode them
                (decoder.py, jpeg.py), cut the views (views.py) and make the records (records.py, datums.py)
donor.py        or, for a dataset with a delta (deltas.py), copies the records out of the one without
stores.py       puts the records into LMDBs; journal.py remembers what became of each photo; sizes.py looks at its size

A complete dataset:
manifest.py     manifest.csv, every photo in one line; summary.py: summary.json, the last file written
texts.py        what a person reads of it;  check.py: whether its stores still hold what was prepared
"""
