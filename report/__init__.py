"""What is said of the runs: tables, status, pages and figures. Reads run folders, paper.toml and test LMDBs.

datasets.py: which tables there are, the paper's and those of other datasets
run folders -> results.py: the results of a row, those that are alike together, and what cannot be read
-> measures.py: their numbers, several seeds by bootstrap.py -> line.py: a line of a table
-> notes.py: what a reader has to know beside the numbers
-> tables.py: text, markdown, csv and json; status.py: every run, and how far it is
   (starts.py: the rows of nets that were not fine-tuned, below the paper's)
-> claims.py: what the paper claims, and what the runs say of it: evidence.py has the runs of a dataset, accuracies.py
   (by comparison.py), iterations.py and from_scratch.py tell each kind of claim, verdicts.py makes one verdict of those
   on its parts; from_scratch.py is what `compare IV-D` prints, too
-> deltas.py: datasets with a delta compared, by comparison.py; delta_table.py prints them, delta_commands.py names what
   makes those that are missing
-> page.py: all of that on one page, by templates/, and site.py writes the pages: variants.py has a variant's numbers
   (curves.py), plots (plots.py, figures.py; start_figures.py: both starts in one) and photos (testset.py, photos.py),
   provenance.py and links.py where they come from; paper_figures.py writes the paper's Figures 1, 3 and 4
"""

import logging

logging.getLogger("matplotlib").setLevel(logging.ERROR)  # where it may not keep its cache, it says so in four lines
