-- Geometry of boxes [x0, y0, x1, y1], in any unit as long as it is one unit.
-- An absent box gives null; a box without area gives 0.

-- `greatest` skips nulls, so without the case an absent box would have the area 0.
create or replace macro box_area(box) as
case
    when box is not null
        then greatest(0, box[3] - box[1]) * greatest(0, box[4] - box[2])
end;

-- The smallest box that holds all `boxes`; null for none.
create or replace macro union_box(boxes) as
case
    when len(boxes) > 0
        then [
            list_min(list_transform(boxes, lambda box: box[1])),
            list_min(list_transform(boxes, lambda box: box[2])),
            list_max(list_transform(boxes, lambda box: box[3])),
            list_max(list_transform(boxes, lambda box: box[4]))
        ]
end;

-- Whether a box is four ordered numbers inside (0, 0, width, height), up to `slack`.
create or replace macro box_fits(box, width, height, slack) as
coalesce(
    len(box) = 4
    and len(list_filter(box, lambda side: not isfinite(side))) = 0
    and box[1] >= -slack
    and box[2] >= -slack
    and box[1] <= box[3]
    and box[2] <= box[4]
    and box[3] <= width + slack
    and box[4] <= height + slack,
    false
);

-- A box in fractions of `view_box`, in fractions of what `view_box` is a part of.
create or replace macro box_from_view(box, view_box) as
[
    view_box[1] + box[1] * (view_box[3] - view_box[1]),
    view_box[2] + box[2] * (view_box[4] - view_box[2]),
    view_box[1] + box[3] * (view_box[3] - view_box[1]),
    view_box[2] + box[4] * (view_box[4] - view_box[2])
];

-- A pixel box in fractions of its image.
create or replace macro box_px_to_frac(box_px, width, height) as
[box_px[1] / width, box_px[2] / height, box_px[3] / width, box_px[4] / height];
