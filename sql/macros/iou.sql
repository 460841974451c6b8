-- Overlap of two boxes [x0, y0, x1, y1] in the same frame and unit; the twin of sightline.boxes.
-- An absent box gives null; boxes without a common area give 0.

create or replace macro box_intersection_area(a, b) as
greatest(0, least(a[3], b[3]) - greatest(a[1], b[1]))
* greatest(0, least(a[4], b[4]) - greatest(a[2], b[2]));

create or replace macro box_iou(a, b) as
case
    when a is not null and b is not null
        then coalesce(
            box_intersection_area(a, b)
            / nullif(
                greatest(0, a[3] - a[1]) * greatest(0, a[4] - a[2])
                + greatest(0, b[3] - b[1]) * greatest(0, b[4] - b[2])
                - box_intersection_area(a, b),
                0
            ),
            0
        )
end;
