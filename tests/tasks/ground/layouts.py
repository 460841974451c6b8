"""Random pictures of rectangles in cells of their own, for property tests."""

from hypothesis import strategies as st

from tests.tasks.ground.scenes import Rect

COLUMNS, CELL_PX = 4, 32


@st.composite
def layouts(draw: st.DrawFn) -> tuple[list[Rect], list[float]]:
    """Two to five rectangles in cells of their own, each with a depth."""
    cells = draw(st.lists(st.integers(0, 11), min_size=2, max_size=5, unique=True))
    rects, depths = [], []
    for cell in cells:
        x, y = (cell % COLUMNS) * CELL_PX, (cell // COLUMNS) * CELL_PX
        w, h = draw(st.integers(10, CELL_PX)), draw(st.integers(10, CELL_PX))
        rects.append((x, y, x + w, y + h))
        depths.append(draw(st.floats(1.0, 9.0)))
    return rects, depths
