"""Draws the embedded dataset: photos with votes, in AVA's and CUHKPQ's own layouts; and pretrains its networks.

dataset.py     the whole set, in a folder (`python -m data_prep demo`); each photo is made in three steps:
score.py       a rating: the scene, the photo's eight faults, its votes
camera.py      rating -> picture: where things stand, the faults in the frame, the faults in the print
layout.py      pictures and ratings -> AVA's and CUHKPQ's files, odd and broken ones among them

scenes.py      what the camera sees, one painter a scene: animal, human, plant and static here,
               architecture in buildings.py, landscape and night in vistas.py
setting.py     palette, horizon, light; sky, ground and hills behind the subject
subjects.py    animals and people;  things.py: flowers, trees, fruit, vessels;  sitter.py: the place they are drawn at
brushes.py     colours, polygons, gradients, noise

pretrain.py    how models/demo was made: the stand-ins for the ImageNet models (`python -m demo.pretrain`)
"""
