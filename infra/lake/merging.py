"""Joins whole parts of a table into one new part, in one transaction.

Readers see the old parts or the new one, never both.  The old parts' marks stay: who commits one
of them once more, because a crash kept it from noting that it had, is still told that it is done.

Easy to get wrong: between reading the old parts and committing the new one somebody else may have
replaced or joined them.  The commit therefore names the very files that were read, looks for them
on the handle it commits with, and gives up if one is gone.
"""

from collections.abc import Sequence

from infra.lake.files import StagedPart, discard
from infra.lake.lake import Lake
from infra.lake.log import mark_of, replace_parts, until_accepted
from sightline.errors import LakeError
from sightline.schemas import Contract
from sightline.snapshot import DataFile, data_files, open_handle


def merge_parts(
    lake: Lake, contract: Contract, old: Sequence[DataFile], staged: StagedPart
) -> bool:
    """Put `staged` in the place of the parts that `old` are all files of.

    Returns:
        whether it was done; false, and `staged` is removed, if the parts are no longer as read.

    Raises:
        LakeError: there is no such table.
    """
    done = until_accepted(lambda: _merge_once(lake, contract, old, staged))
    if not done:
        discard(lake.objects, contract, staged.files)
    return done


def _merge_once(
    lake: Lake, contract: Contract, old: Sequence[DataFile], staged: StagedPart
) -> bool:
    handle = open_handle(f"{lake.uri}/{contract.path}", lake.options)
    if handle is None:
        msg = f"expected a table of {contract.name} in {lake.uri} to join parts of, found none"
        raise LakeError(msg)
    present = data_files(handle, contract)
    parts = {file.part for file in old}
    if {file.path for file in present if file.part in parts} != {file.path for file in old}:
        return False
    marks = {part: int(mark, 16) for part in sorted(parts) if (mark := mark_of(handle, part))}
    marks[staged.part] = int(staged.fingerprint, 16)
    replace_parts(handle, contract, staged.files, marks, filled=parts)
    return True
