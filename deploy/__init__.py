"""A fine-tuned net in use: scores for any photo, and what is needed to take the net elsewhere.

which.py      RUN as it is typed -> the run, or the exported net, that is meant
net.py        a run's folder -> the net of its test pass without LMDB and labels, its transform and its weights
pair.py       the same net from a folder with Caffe's own pair, and the facts that are written beside it

predict.py    photos (photos.py) -> views (views.py) -> p(good) -> rows (rows.py); monitor.py: what is said beside them
scorer.py     views -> p(good), by a process that holds Caffe: scoring.py, told what to do by scoring_work.py
child.py      how such a process is started, to end with ours

export.py     a run -> a folder that is whole and right or not there; export_caffe.py, the process that writes it
onnx_model.py the net in ONNX, layer by layer (onnx_layers.py), and its file (onnx_graph.py)
export_check.py  what was written held against Caffe, and against the run, on test photos
card.py       the model's card, from card.md.jinja; example.py is copied as it is
"""
