"""paper.toml is complete, and the code repeats none of it."""

from paper import DATASETS, NETWORKS, statements, tables


def test_every_number_is_traced_to_the_paper_or_named_as_our_assumption():
    for statement in statements().values():
        assert (statement.source is None) != (statement.assumption is None), statement.name
        assert statement.source or len(statement.assumption) > 2, statement.name


def test_tables_hold_the_papers_rows_in_the_papers_order():
    accuracies = {name: [row.accuracy for row in table.rows] for name, table in tables().items()}
    assert accuracies == {
        "I": [83.24, 87.90, 86.72, 91.43],
        "II": [88.56, 91.47, 91.20, 93.52, 91.93],
        "III": [74.99, 82.00, 71.20, 74.36, 79.00, 67.79],
        "IV": [78.72, 81.13, 83.24, 85.41, 83.52],
        "demo": [None] * 4,
    }


def test_every_table_names_four_variants_of_its_dataset():
    for table in tables().values():
        variants = [(row.network, row.view) for row in table.rows if row.network]
        assert len(set(variants)) == len(variants) == 4
        assert {network for network, _ in variants} == set(NETWORKS)
        assert table.dataset in DATASETS
