"""What is said of the runs: tables and status. Reads run folders and paper.toml, writes nothing.

datasets.py: which tables there are, the paper's and those of other datasets
run folders -> results.py: the results of a row, those that are alike together, and what cannot be read
-> measures.py: their numbers, several seeds by bootstrap.py -> line.py: a line of a table
-> notes.py: what a reader has to know beside the numbers
-> tables.py: text, markdown, csv and json; status.py: every run, and how far it is
-> claims.py: what the paper claims, and what the runs say of it: evidence.py has the runs of a dataset, accuracies.py
   (by comparison.py) and iterations.py tell each kind of claim, verdicts.py makes one verdict of those on its parts
"""
