"""Compares finished runs: tables in the terminal, and a report as one self-contained page with all numbers beside it.

Start at `page.write_report`. `runs` reads the folders, `grouping` collects the seeds of a strategy, `comparisons` tests
every pair, `verdicts` and `caveats` write the sentences, and `templates/` lays out the page in the number style of
`numbers`. `terminal` prints. None of it imports torch. A new section is a function in `analyses.py`.
"""

__all__ = ["command", "licences", "merged_card", "model_card", "page", "settings", "tables", "terminal"]
