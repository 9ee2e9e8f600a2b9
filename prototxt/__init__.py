"""The networks and the solvers: their definition, their writer, and the written files that the driver reads.

paper.toml -> nets.py   -> prototxt/<dataset>/<network>_<view>[_<start>]/train_val.prototxt
-> solver.py -> solvers/<dataset>/<network>_<view>[_<start>].prototxt
(starts.py: what a net is given that does not begin from the pretrained model)
(`make prototxt`: __main__.py, through writer.py: all files, and generated.py, which keeps a person's edits)
messages.py reads and writes prototxts for everybody, as Caffe does, without Caffe.
"""
