"""Runs on disk -> tables in the terminal, and a report: one page, with tables for documents and the data behind it.

`terminal` prints; `page.write_report` makes the report; `command.main` is babelbatch-report. None of it imports torch.
"""
