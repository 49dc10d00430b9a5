"""A notebook's prose as static HTML: CommonMark and tables, no raw HTML, and nothing that is loaded from elsewhere."""

from __future__ import annotations

from functools import cache
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markdown_it import MarkdownIt
    from markdown_it.renderer import RendererHTML
    from markdown_it.token import Token

__all__ = ["first_heading", "markdown_html"]

LOWEST = 6


def markdown_html(text: str, *, below: int = 0) -> str:
    """Return a text as a fragment of HTML.

    Parameters
    ----------
    text
        Markdown, from anybody: raw HTML in it is shown as it is written, a picture from elsewhere becomes a link.
    below
        So many levels lower than written each heading comes.
    """
    parser = _parser()
    tokens = parser.parse(text)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(LOWEST, int(token.tag[1:]) + below)}"
    return str(parser.renderer.render(tokens, parser.options, {}))


def first_heading(text: str) -> str | None:
    """Return the text of the first heading, without its markup; None where there is none."""
    tokens = _parser().parse(text)
    for token, after in pairwise(tokens):
        if token.type == "heading_open":
            return "".join(one.content for one in after.children or []).strip() or None
    return None


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    parser.add_render_rule("image", _image)
    return parser


def _image(self: RendererHTML, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
    token = tokens[at]
    source = str(token.attrGet("src") or "")
    words = escape(self.renderInlineAsText(token.children, options, env) or source)
    if source.startswith("data:image/"):
        return f'<img src="{escape(source)}" alt="{words}">'
    # The page is one file: what lies elsewhere is not fetched, and may be gone or changed when it is read.
    return f'<a href="{escape(source)}">{words}</a>'
