"""What the aims are about, measured: each script here prints its figures and ends within minutes.

Every figure is a line of its own: what it is, the value, its unit, and the aim where there is one. A missed
aim is said and is no failure, because a figure of a busy machine proves nothing; an exit status other than
0 means that nothing was measured, or that something acknowledged was lost.
"""


def show(name: str, value: float, unit: str, *, at_least: float | None = None, at_most: float | None = None) -> None:
    """Print a figure, and whether it meets its aim."""
    shown = f"{value:,.0f}" if value >= 100 else f"{value:.2f}"
    aims = [("at least", at_least, 1), ("at most", at_most, -1)]
    for words, aim, sign in aims:
        if aim is not None:
            met = "met" if (value - aim) * sign >= 0 else "MISSED"
            unit = f"{unit:12} aim: {words} {aim:g}, {met}"
    print(f"{name:48} {shown:>9} {unit}", flush=True)
