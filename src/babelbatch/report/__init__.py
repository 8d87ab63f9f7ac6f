"""Runs on disk become tables in the terminal and a report: one page, its tables, and the data behind it.

Start at `page.write_report`: it reads runs (`runs`), groups them (`grouping`), compares groups (`comparisons`) and
renders the sections. `terminal` prints. None of it imports torch. A new section is a function in `analyses.py`.
"""

__all__ = ["command", "page", "terminal"]
