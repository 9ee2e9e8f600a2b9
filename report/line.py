"""One line of a table: what the paper says of a method, and what our runs say."""

from dataclasses import dataclass

DASH = "–"  # for what is not known


@dataclass(frozen=True)
class Line:
    """One line of a printed table. Rates are in percent; what is not known is None."""

    method: str
    paper: float | None
    ours: float | None = None  # mean over seeds
    sd: float | None = None  # over two or more seeds
    difference: float | None = None  # ours - paper, in points
    low: float | None = None  # of the 95 % interval of ours
    high: float | None = None
    n: int | None = None  # test photos
    majority: float | None = None
    balanced: float | None = None  # balanced accuracy
    auc: float | None = None  # 0..1; this and all that follows: means over seeds
    good_as_good: float | None = None  # test photos: their label, and what they were predicted as
    good_as_bad: float | None = None
    bad_as_good: float | None = None
    bad_as_bad: float | None = None
    ours_sufficient: float | None = None  # at the iteration that IV-D calls sufficient
    iterations: int | None = None  # at which the accuracy was measured
    minutes: float | None = None
    seeds: int = 0
    status: str = ""
    interval: str | None = None  # how low and high were worked out: Wilson, of one run; bootstrap, of several seeds
    changes: str | None = None  # of a named edit: what a person changed
    origin: str | None = None  # the label of the net that it is an edit of; ours less that net's:
    origin_difference: float | None = None  # in points
    origin_p: float | None = None  # two-sided
    beside_origin: str | None = None  # both in words, or why they cannot be compared
