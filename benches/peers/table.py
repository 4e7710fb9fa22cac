"""One table: what was measured, us, the peer, the limit, and how much of the peer we are."""


class Row:
    """`us`, `peer` and `limit` in the same unit, or `None`; less is better where `goal` is given, the ratio it must not exceed."""

    def __init__(self, what, us, peer=None, limit=None, goal=None, digits=3):
        self.what, self.us, self.peer, self.limit, self.goal, self.digits = what, us, peer, limit, goal, digits

    def ratio(self):
        return self.us / self.peer if self.us is not None and self.peer else None

    def missed(self):
        return self.goal is not None and self.ratio() is not None and self.ratio() > self.goal

    def cells(self):
        def number(value):
            return "" if value is None else f"{value:.{self.digits}f}"
        ratio = "" if self.ratio() is None else f"{self.ratio():.2f}"
        goal = "" if self.goal is None else f"≤ {self.goal:g}"
        return [self.what, number(self.us), number(self.peer), number(self.limit), ratio, goal]


def show(rows):
    """Prints the table; true if a goal is missed."""
    lines = [["what", "us", "peer", "limit", "ratio", "goal"], *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(6)]
    for number, line in enumerate(lines):
        cells = (cell.ljust(width) if column == 0 else cell.rjust(width)
                 for column, (cell, width) in enumerate(zip(line, widths)))
        print(f"| {' | '.join(cells)} |")
        if number == 0:
            print(f"|{'|'.join('-' * (width + 2) for width in widths)}|", flush=True)
    return any(row.missed() for row in rows)
