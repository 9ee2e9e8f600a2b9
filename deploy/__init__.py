"""A fine-tuned net in use: scores for any photo, and what is needed to take the net elsewhere.

net.py        a run's folder -> the net of its test pass without LMDB and labels, its transform and its weights
"""
