"""How wide is each column of a table where the width does not suffice for all of its texts?"""

from __future__ import annotations

from synapse_perf.report.document import Table

_LEAST = {"middle": 10, "wrap": 12}


def column_widths(table: Table, width: int, gap: int) -> list[int] | None:
    """Natural widths if they fit, else the widest of those that may shrink give way; None if that is not enough.

    So no text of a column that may not shrink is ever cut.
    """
    from rich.cells import cell_len

    widths = [
        max([cell_len(column.title), *(cell_len(row.cells[i].text) for row in table.rows)])
        for i, column in enumerate(table.columns)
    ]
    excess = sum(widths) + gap * (len(widths) - 1) - width
    while excess > 0:
        shrinkable = [
            i for i, column in enumerate(table.columns) if column.shrink != "no" and widths[i] > _LEAST[column.shrink]
        ]
        if not shrinkable:
            return None
        widest = max(shrinkable, key=lambda i: widths[i])
        widths[widest] -= 1
        excess -= 1
    return widths
