"""Sizes of inputs that several networks share."""


def shorter_side_to(width: int, height: int, shortest: int, longest: int) -> tuple[int, int]:
    """Return (width, height) with the shorter side at `shortest` and none over `longest`.

    Sides are rounded exactly as DETR and its heirs round them (`get_size_with_aspect_ratio` in
    `transformers.image_transforms`); no side falls below 1 px.
    """
    low, high = min(width, height), max(width, height)
    side, exact = shortest, float(shortest)
    if high / low * shortest > longest:
        exact = longest * low / high
        side = round(exact)
    other = high if low == side else int(exact * high / low)
    side, other = max(1, side), max(1, other)
    return (side, other) if width < height else (other, side)
