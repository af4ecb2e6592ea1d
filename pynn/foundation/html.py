"""Tables as notebooks show them."""

from __future__ import annotations

from collections.abc import Sequence


def table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int], below: str = "") -> str:
    """A table of texts as HTML; the columns of the numbers in `right` stand to the right."""
    import html  # slow to import, and rarely needed

    def row(cells: Sequence[str], tag: str) -> str:
        sides = ["right" if at in right else "left" for at in range(len(cells))]
        return "".join(
            f'<{tag} style="text-align: {side}">{html.escape(cell)}</{tag}>'
            for side, cell in zip(sides, cells, strict=True)
        )

    body = "".join(f"<tr>{row(cells, 'td')}</tr>" for cells in rows)
    end = f"<div>{html.escape(below)}</div>" if below else ""
    return (
        f"<div><b>{html.escape(title)}</b><table><thead><tr>{row(head, 'th')}</tr></thead><tbody>{body}</tbody></table>"
        f"{end}</div>"
    )
