"""The networks and the solvers: their definition, their writer, and the written files that the driver reads.

paper.toml -> nets.py   -> prototxt/<dataset>/<network>_<view>/train_val.prototxt
-> solver.py -> solvers/<dataset>/<network>_<view>.prototxt
(`make prototxt`: __main__.py, through writer.py: all files, and generated.py, which keeps a person's edits)
messages.py reads and writes prototxts for everybody, as Caffe does, without Caffe.
"""
