"""The site builds without a warning, and needs nothing from the net."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from commands import BIN
from pages import DOCS
from preloaded import run_preloaded


@pytest.mark.slow
def test_the_site_is_strict_and_offline(tmp_path: Path) -> None:
    pytest.importorskip("sphinx", reason="the extra `docs` is not installed")
    site = tmp_path / "site"
    strict = ["--quiet", "--fail-on-warning", "--keep-going", "--doctree-dir", str(tmp_path / "doctrees")]
    run_preloaded(BIN / "sphinx-build", *strict, "--builder", "html", DOCS, site, cwd=tmp_path)
    pages = sorted(site.rglob("*.html"))
    assert {"index.html", "quick_start.html", "settings.html", "architecture.html"} <= {page.name for page in pages}
    fetched = re.compile(r"<(?:script|img|iframe|source)\b[^>]*\bsrc=\"(https?:)?//|<link\b[^>]*\bhref=\"(https?:)?//")
    assert [page.name for page in pages if fetched.search(page.read_text(encoding="utf-8"))] == []
    styles = [style for style in site.rglob("*.css") if re.search(r"url\([\"']?(https?:)?//", style.read_text())]
    assert styles == []
    api = (site / "api" / "sampling.html").read_text(encoding="utf-8")
    assert "The probability of a same-language batch" in api or "babelbatch.sampling.settings.Sampling" in api
