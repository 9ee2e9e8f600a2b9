"""What is said of nets that do not begin as the paper's do."""

from collections.abc import Collection, Iterator, Sequence

from experiments.run_folder import Prediction, Result
from paper import FROZEN, SCRATCH, STARTS, stated

LABELS = {SCRATCH: "from scratch", FROZEN: "frozen"}


def explained(starts: Collection[str]) -> Iterator[str]:
    """A note on each of these starts."""
    said = {
        SCRATCH: (
            "From scratch: every layer begins from its filler and learns at one rate, that of paper.toml, on the same"
            " batches and iterations (IV-D). The paper has no number of it."
        ),
        FROZEN: (
            "Frozen: all layers but the last stay as in the pretrained model, which then gives features, as II says of"
            " [5]. The paper has no number of it."
        ),
    }
    yield from (said[start] for start in STARTS if start in starts)


def learnt_nothing(results: Sequence[Result]) -> str:
    """What is said of runs that answer the same for all photos, e.g. 'says good for all'; '' where one does not.

    They did not learn where p(good) tells good photos from bad ones no better than chance (Mann-Whitney).
    """
    answers = {p.predicted for result in results for p in result.predictions}
    if len(answers) != 1 or not results:
        return ""
    said = f"says {'good' if answers.pop() else 'bad'} for all"
    return said if any(_tells_apart(result.predictions) for result in results) else f"did not learn: {said}"


def _tells_apart(predictions: Sequence[Prediction]) -> bool:
    from scipy.stats import mannwhitneyu  # takes half a second, and is rarely needed

    good, bad = ([p.p_good for p in predictions if p.label == label] for label in (1, 0))
    return bool(good and bad) and float(mannwhitneyu(good, bad).pvalue) < stated("evidence.level")
