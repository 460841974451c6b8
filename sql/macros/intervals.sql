-- Intervals of shares, 95 %, after Wilson 1927 (doi:10.1080/01621459.1927.10502953).

-- Share of `part` in `whole` with its interval: {value, low, high}; null if there is no whole.
create or replace macro wilson(part, whole) as
case
    when whole > 0
        then {
            'value': part / whole,
            'low': greatest(
                0.0,
                (
                    part / whole + 1.959964 ** 2 / (2 * whole)
                    - 1.959964 * sqrt(
                        part / whole * (1 - part / whole) / whole
                        + 1.959964 ** 2 / (4 * whole ** 2)
                    )
                ) / (1 + 1.959964 ** 2 / whole)
            ),
            'high': least(
                1.0,
                (
                    part / whole + 1.959964 ** 2 / (2 * whole)
                    + 1.959964 * sqrt(
                        part / whole * (1 - part / whole) / whole
                        + 1.959964 ** 2 / (4 * whole ** 2)
                    )
                ) / (1 + 1.959964 ** 2 / whole)
            )
        }
end;
