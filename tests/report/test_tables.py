"""Tables for documents: Markdown, LaTeX, CSV."""

import csv
import io

from babelbatch.report.tables import Data, ResultCell, Results, legend, to_csv, to_latex, to_markdown

TABLE = Results(
    "my_facts",
    ("monolingual mAP", "rank distance"),
    [
        (
            "X-X",
            3,
            (ResultCell("0.9664", "[0.9591, 0.9738]", best=True), ResultCell("22,534.4", "[22,418.2, 22,650.6]")),
        ),
        (
            "hybrid a|b_100%",
            1,
            (ResultCell("0.9570", "[0.9492, 0.9649]"), ResultCell("501.0", "[437.7, 564.3]", ties_best=True)),
        ),
    ],
)


def test_markdown() -> None:
    assert to_markdown(TABLE, 0.95) == (
        "my_facts, 95\N{NO-BREAK SPACE}% intervals:\n"
        "\n"
        "| strategy | seeds | monolingual mAP | rank distance |\n"
        "| --- | ---: | ---: | ---: |\n"
        "| X-X | 3 | **0.9664** [0.9591, 0.9738] | 22,534.4 [22,418.2, 22,650.6] |\n"
        "| hybrid a\\|b_100% | 1 | 0.9570 [0.9492, 0.9649] | 501.0 ≈ [437.7, 564.3] |\n"
        "\n"
        "In bold: significantly better than every other strategy (Holm over all pairs and measures). ≈: not "
        "significantly different from the best.\n"
    )


def test_latex() -> None:
    assert to_latex(TABLE, 0.9) == (
        "\\begin{table}\n"
        "\\centering\n"
        "\\begin{tabular}{lrrr}\n"
        "\\toprule\n"
        "strategy & seeds & monolingual mAP & rank distance \\\\\n"
        "\\midrule\n"
        "X-X & 3 & \\textbf{0.9664} {\\small [0.9591, 0.9738]} & 22,534.4 {\\small [22,418.2, 22,650.6]} \\\\\n"
        "hybrid a|b\\_100\\% & 1 & 0.9570 {\\small [0.9492, 0.9649]} & "
        "501.0\\,$\\approx$ {\\small [437.7, 564.3]} \\\\\n"
        "\\bottomrule\n"
        "\\end{tabular}\n"
        "\\caption{my\\_facts, 90~\\% intervals. In bold: significantly better than every other strategy (Holm over "
        "all pairs and measures). $\\approx$: not significantly different from the best.}\n"
        "\\end{table}\n"
    )


def test_no_mark_is_explained_that_is_not_there() -> None:
    assert legend(Results("b", ("m",), [("X-X", 1, (ResultCell("1", "[0, 2]"),))]), "bold") == ""


def test_csv_keeps_every_digit_and_survives_commas() -> None:
    text = to_csv(Data("d", ("group", "value", "alpha"), [("a, b", 0.1 + 0.2, None)]))
    assert text == 'group,value,alpha\n"a, b",0.30000000000000004,\n'
    assert float(next(csv.DictReader(io.StringIO(text)))["value"]) == 0.1 + 0.2
