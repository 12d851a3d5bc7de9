"""The documents for users, as pages."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.token import Token

import lasair_broker

_PACKAGE = Path(lasair_broker.__file__).parent
_FOLDERS = (_PACKAGE / "docs", _PACKAGE.parents[1] / "docs")
"""In an installed package, and in a checkout."""

DOCUMENTS = {
    "object-page": "The page of an object",
    "filters": "Filters",
    "query-language": "The query language",
    "lists": "Watchlists, watchmaps, annotators",
    "streams": "How hits reach you",
    "api": "The API and the Python client",
    "context": "What is known at a place",
    "events": "Events and partners",
    "messengers": "Gravitational waves, neutrinos, bursts",
    "catalogues": "Catalogues",
}
"""Those that are for users: name and title."""

NOTEBOOKS = {
    "find_objects": "Find objects",
    "light_curve": "A light curve",
    "filter": "A filter",
    "watchlist": "A watchlist",
}
"""Examples to begin with: name and title."""


@dataclass(frozen=True)
class Document:
    """A document: its title, its body as HTML, and the headings in it (id and text)."""

    title: str
    body: SafeString
    headings: tuple[tuple[str, str], ...]


@cache
def document(name: str) -> Document | None:
    """A document for users; None if there is none of this name."""
    path = next((p for p in (folder / f"{name}.md" for folder in _FOLDERS) if p.is_file()), None)
    if name not in DOCUMENTS or path is None:
        return None
    reader = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = reader.parse(path.read_text(encoding="utf-8"))
    headings = []
    for token, inline in pairwise(tokens):
        if token.type == "heading_open":
            place = re.sub(r"[^a-z0-9]+", "-", inline.content.lower()).strip("-")
            token.attrSet("id", place)
            if token.tag == "h2":
                headings.append((place, inline.content))
        elif token.type == "table_open":
            token.attrSet("class", "table")
        for child in inline.children or []:
            _lead_here(child)
    body = reader.renderer.render(tokens, reader.options, {})
    # In a frame that can be moved sideways, so that a wide table does not widen the page.
    body = body.replace(
        "<table", '<div class="table-responsive" tabindex="0" role="region" aria-label="Table"><table'
    )
    body = body.replace("</table>", "</table></div>").replace("<pre>", '<pre tabindex="0">')
    return Document(DOCUMENTS[name], mark_safe(body), tuple(headings))  # noqa: S308 - of our own files, without HTML in them


def notebook(name: str) -> bytes | None:
    """An example notebook; None if there is none of this name."""
    if name not in NOTEBOOKS:
        return None
    path = next(
        (p for p in (folder / "notebooks" / f"{name}.ipynb" for folder in _FOLDERS) if p.is_file()), None
    )
    return None if path is None else path.read_bytes()


def _lead_here(token: Token) -> None:
    """A link to another document leads to its page, one to a notebook to the file."""
    if token.type != "link_open":
        return
    if example := re.fullmatch(r"notebooks/([a-z_]+)\.ipynb", str(token.attrGet("href"))):
        token.attrSet("href", f"/help/notebooks/{example[1]}.ipynb")
    found = re.fullmatch(r"(?:docs/)?([a-z-]+)\.md(#.*)?", str(token.attrGet("href")))
    if found and found[1] in DOCUMENTS:
        token.attrSet("href", f"/help/{found[1]}/{found[2] or ''}")
