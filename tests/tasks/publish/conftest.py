"""A small lake with pictures, opened once."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pyarrow as pa
import pytest

from tests.sql.lake_tables import connect
from tests.tasks.publish.demo_lake import query_of, small_demo

Query = Callable[[str, Sequence[Any]], pa.Table]


@pytest.fixture(scope="session")
def query() -> Iterator[Query]:
    with connect(small_demo().rows) as con:
        yield query_of(con)
