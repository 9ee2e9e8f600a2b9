"""How figures look and are written: inline SVG for pages, PDF and PNG for a paper; the same figure, the same bytes.

On a page, colours are CSS variables and text is text, so a figure follows the page into dark mode, print and zoom.
"""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib
from matplotlib import rc_context
from matplotlib.figure import Figure

from files import write_atomically

# Okabe and Ito's blue and vermilion, and a purple: told apart by the colour-blind, and dark enough on white.
# By their names as CSS variables.
COLOURS = {
    "ink": "#1b1b1b",
    "muted": "#6a6a6a",
    "grid": "#dddddd",
    "blue": "#0072b2",
    "vermilion": "#b84600",
    "purple": "#8e3f8c",
}
PAGE = (5.0, 3.75)  # inches, of 72 units in SVG; scaled to the page
LETTERS = 10.5  # points, on a page
COLUMN = 252 / 72  # inches: a column of the IEEE's two-column papers

_COMMON = {
    "axes.edgecolor": COLOURS["muted"],
    "axes.labelcolor": COLOURS["ink"],
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.grid": True,
    "grid.color": COLOURS["grid"],
    "grid.linewidth": 0.7,
    "legend.frameon": False,
    "legend.labelcolor": COLOURS["ink"],
    "text.color": COLOURS["ink"],
    "xtick.color": COLOURS["muted"],
    "xtick.labelcolor": COLOURS["ink"],
    "ytick.color": COLOURS["muted"],
    "ytick.labelcolor": COLOURS["ink"],
    "svg.fonttype": "none",
    "svg.hashsalt": "aesthetics",
    "pdf.fonttype": 42,  # whole TrueType fonts, which publishers ask for
}
_ON_A_PAGE = {"font.size": LETTERS, "legend.fontsize": LETTERS, "lines.linewidth": 1.8, "lines.markersize": 4}
_IN_A_PAPER = {
    "font.family": "STIXGeneral",
    "font.size": 8,
    "legend.fontsize": 7.5,
    "lines.linewidth": 1.2,
    "lines.markersize": 2.8,
}


@contextmanager
def style(in_a_paper: bool = False) -> Iterator[None]:
    """Draw and write figures in our style within this, whatever the user's own matplotlibrc says."""
    with rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_COMMON | (_IN_A_PAPER if in_a_paper else _ON_A_PAGE))
        yield


def svg(figure: Figure, name: str) -> str:
    """The figure as an SVG element to stand in a page; `name` sets its ids apart from other figures'."""
    text = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(text, format="svg", transparent=True, metadata=nothing)
    body = text.getvalue().partition("<svg")[2].partition(">")[2]
    body = re.sub(r"<style.*?</style>", "", body, flags=re.S)
    used = set(re.findall(r"#([\w.-]+)", " ".join(re.findall(r'(?:href="|url\()#[\w.-]+', body))))
    body = re.sub(r' id="([^"]*)"', lambda found: f' id="{name}-{found[1]}"' if found[1] in used else "", body)
    body = re.sub(r'(?:xlink:)?href="#', f'href="#{name}-', body).replace("url(#", f"url(#{name}-")
    body = re.sub(r"font-family: [^;\"]*;? ?", "", body)
    body = re.sub(r"font: ([\d.]+px) [^;\"]*", r"font-size: \1", body)
    body = re.sub(r' d="[^"]*"', lambda path: re.sub(r"-?\d+\.\d+", _short, path[0]).replace("\n", ""), body)
    for colour, code in COLOURS.items():
        body = body.replace(code, f"var(--{colour})")
    body = re.sub(r"\n\s*", "\n", body).strip().removesuffix("</svg>")
    width, height = (72 * inches for inches in figure.get_size_inches())
    return f'<svg viewBox="0 0 {width:g} {height:g}" aria-hidden="true" focusable="false">\n{body}</svg>'


def write_for_a_paper(figure: Figure, path: Path) -> None:
    """Write `path`.pdf, with its fonts inside, and `path`.png; neither holds a date."""
    kinds = {
        "pdf": dict.fromkeys(("CreationDate", "Creator", "Producer")),
        "png": {"Software": None},
    }
    for kind, metadata in kinds.items():
        content = io.BytesIO()
        figure.savefig(content, format=kind, dpi=300, metadata=metadata)
        write_atomically(path.with_name(f"{path.name}.{kind}"), content.getvalue(), durable=False)


def _short(number: re.Match) -> str:
    return f"{float(number[0]):.2f}".rstrip("0").rstrip(".")
