"""One hash per text of what must not differ between duplicates."""

import numpy as np
from tasks.dedup.text.blocks import Block
from tasks.dedup.text.tokens import Hashes, Tokens


def guards(block: Block, found: Tokens) -> Hashes:
    return np.zeros(len(block.starts), np.uint64)
