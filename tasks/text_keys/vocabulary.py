"""Words that two duplicates must share, as often as they have them, and the table kernels read.

Groups of words are closed: one of them in place of another flips what is said about a picture.  It
is enough to name the rarer word of a pair: "in" against "out" differ because "out" is named.
Colours belong here: they are few, and in questions about pictures they are the answer, so that two
rationales of one template which differ in a colour say different things.  Nouns do not: they are
an open class, and shingles and the group of a text (its question and answer) must tell them apart.
English, and the Chinese characters of the same meanings, which are words of their own.
"""

from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from tasks.text_keys.hashing import BASE, MASK, PRIME, mixed, word_hash

PROTECTED: Final = 1
UNIT: Final = 2
NUMBER: Final = 4
LEAD: Final = 8
"""Meanings of a word: counts always, counts after a number, is a number, leads to an option."""

NUMBER_SEED: Final = 0x8CB92BA72F3D8DD7
SYMBOL_SEED: Final = 0x9FB21C651E98DF25
NEGATION: Final = "not"
"""What "n't" and "cannot" count as."""

PROTECTED_WORDS: Final = """
    not no non never none nobody nothing nowhere neither nor without lacks lacking absent missing
    except unless hardly barely scarcely nope yes yeah true false correct incorrect wrong right
    valid invalid possible impossible all any every each both either only same different identical
    similar opposite equal equals unequal

    left leftmost rightmost lefthand righthand above below under underneath beneath over top topmost
    bottom bottommost upper lower up down upward upwards downward downwards front behind back
    rear ahead inside outside out off inner outer interior exterior inward outward foreground
    background middle center centre central between beyond across toward towards away
    north south east west northeast northwest southeast southwest clockwise counterclockwise
    anticlockwise horizontal horizontally vertical vertically diagonal diagonally
    parallel perpendicular convex concave acute obtuse

    more less fewer most least greater smaller larger bigger greatest smallest largest biggest
    large small big little tiny huge higher lower highest lowest high low taller shorter tallest
    shortest tall short longer longest long wider narrower widest narrowest wide narrow thicker
    thinner thick thin deeper shallower older younger oldest youngest old young heavier lighter
    heaviest lightest heavy hotter colder hot cold warmer cooler faster slower fastest slowest fast
    slow brighter darker brightest darkest bright dark stronger weaker better worse best worst
    near nearer nearest far farther farthest further furthest close closer closest distant
    before after first last next previous earlier later earliest latest early late early
    max maximum min minimum increase increases increased increasing decrease decreases decreased
    decreasing rise rises rose rising fall falls fell falling grow grows grew growing shrink
    shrinks shrank shrinking gain gains loss losses odd even positive negative plus minus
    open opened closed shut full empty many few several much always sometimes often rarely

    second third fourth fifth sixth seventh eighth ninth tenth half halves quarter quarters thirds
    once twice thrice double triple dozen dozens pair pairs single average mean median sum total
    monday tuesday wednesday thursday friday saturday sunday january february march april june
    july august september october november december am pm

    red orange yellow green blue purple pink brown black white gray cyan magenta violet
    turquoise teal beige gold golden silver maroon navy olive indigo lavender tan crimson
    circle circles circular square squares triangle triangles triangular rectangle rectangles
    rectangular pentagon hexagon octagon oval ellipse diamond star cube cubes sphere spheres
    cylinder cylinders cone cones pyramid

    不 没 沒 无 無 非 未 否 勿 别 左 右 上 下 前 后 後 里 外 内 中 东 西 南 北 東 大 小 多 少
    高 低 长 短 長 远 近 遠 最 更 先 末 真 假 对 错 红 橙 黄 绿 蓝 紫 黑 白 灰 紅 黃 綠 藍
    半 零 一 二 三 四 五 六 七 八 九 十 百 千 万 萬 亿 億 两 兩
"""

SAME_WORDS: Final = {
    NEGATION: "cannot cant dont doesnt didnt isnt arent wasnt werent wont wouldnt couldnt shouldnt"
    " hasnt havent hadnt",
    "gray": "grey",
    "center": "centre",
}
"""Further spellings of one protected word."""

NUMBER_WORDS: Final = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
    " sixteen seventeen eighteen nineteen twenty"
)
LARGE_NUMBER_WORDS: Final = {
    "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80,
    "ninety": 90, "hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9,
    "trillion": 10**12,
}  # fmt: skip

UNITS: Final = """
    mm millimeter millimeters millimetre millimetres | cm centimeter centimeters centimetre
    centimetres | dm | m meter meters metre metres | km kilometer kilometers kilometre
    kilometres | um micrometer micrometers micron microns | nm nanometer nanometers | in inch
    inches | ft foot feet | yd yard yards | mi mile miles | mph | kmh kph | mg milligram
    milligrams | g gram grams | kg kilogram kilograms kilo kilos | t ton tons tonne tonnes | lb
    lbs pound pounds | oz ounce ounces | ml milliliter milliliters millilitre millilitres | cl |
    l liter liters litre litres | gal gallon gallons | cup cups | pint pints | ms millisecond
    milliseconds | s sec secs second seconds | min mins minute minutes | h hr hrs hour hours | d
    day days | wk week weeks | month months | yr yrs year years | decade decades | century
    centuries | hz | khz | mhz | ghz | w watt watts | kw kilowatt kilowatts | mw | kwh | v volt
    volts | mv | kv | a amp amps ampere amperes | ma | ohm ohms | k kelvin | c celsius | f
    fahrenheit | pa | kpa | mpa | bar bars | n newton newtons | j joule joules | kj | cal | kcal
    calorie calories | mol | px pixel pixels | kb | mb | gb | tb | dollar dollars usd | cent
    cents | euro euros eur | yuan rmb cny | yen jpy | gbp | rupee rupees inr | rad radian
    radians | sqft | acre acres | hectare hectares ha | thousand k | mn | bn | dozen | times x |
    fold | point points pt pts
"""
"""Units; spellings of one unit between bars."""

SYMBOL_UNITS: Final = {"%": "percent pct", "°": "degree degrees deg"}
LEADS: Final = "option options choice choices answer letter"
_SLOTS: Final = 1 << 12
KNOWN_BITS: Final = 13
"""Upper bits of a hash; 9 % of other words share them with a word that means something."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """An open-addressed table; the slot of a word is its hash modulo the size, or a later one.

    Fields:
        hashes: (slots,) uint64, hash of the word; 0 for a free slot.
        meanings: (slots,) uint8, ORed.
        values: (slots,) uint64, what the word counts as; equal for spellings of one word.
        known: (2 ** KNOWN_BITS,) bool, whether a word in the table begins with these bits.
    """

    hashes: npt.NDArray[np.uint64]
    meanings: npt.NDArray[np.uint8]
    values: npt.NDArray[np.uint64]
    known: npt.NDArray[np.bool_]


def number_hash(digits: str) -> int:
    """Return the hash of a number, written canonically."""
    state = NUMBER_SEED
    for byte in digits.encode():
        state = ((state ^ byte) * PRIME) & MASK
    return mixed(state)


def symbol_hash(symbol: str) -> int:
    """Return what one symbol beside a number counts as."""
    return ((SYMBOL_SEED ^ ord(symbol)) * BASE) & MASK


def negation_hash() -> np.uint64:
    """Return what a negation counts as."""
    return np.uint64(word_hash(NEGATION.encode()))


@cache
def vocabulary() -> Vocabulary:
    """Return the table of all words above; made on first use."""
    table = Vocabulary(
        hashes=np.zeros(_SLOTS, np.uint64),
        meanings=np.zeros(_SLOTS, np.uint8),
        values=np.zeros(_SLOTS, np.uint64),
        known=np.zeros(1 << KNOWN_BITS, np.bool_),
    )
    for word, (meaning, value) in _entries().items():
        _insert(table, word_hash(word.encode()), meaning, value)
    table.known[table.hashes[table.hashes > 0] >> np.uint64(64 - KNOWN_BITS)] = True
    for array in (table.hashes, table.meanings, table.values, table.known):
        array.flags.writeable = False
    return table


def _entries() -> dict[str, tuple[int, int]]:
    """Return meaning and value of every word; one that is also a unit keeps its own value."""
    entries: dict[str, tuple[int, int]] = {}
    for group in UNITS.split("|"):
        spellings = group.split()
        entries.update(dict.fromkeys(spellings, (UNIT, word_hash(spellings[0].encode()))))
    for symbol, names in SYMBOL_UNITS.items():
        entries.update(dict.fromkeys(names.split(), (UNIT, symbol_hash(symbol))))
    for word in PROTECTED_WORDS.split():
        meaning = entries.get(word, (0, 0))[0]
        entries[word] = (meaning | PROTECTED, word_hash(word.encode()))
    for word, others in SAME_WORDS.items():
        value = word_hash(word.encode())
        entries.update(dict.fromkeys(others.split(), (PROTECTED, value)))
    numbers = {word: n for n, word in enumerate(NUMBER_WORDS.split())} | LARGE_NUMBER_WORDS
    for word, number in numbers.items():
        entries[word] = (NUMBER, number_hash(str(number)))
    for word in LEADS.split():
        entries[word] = (entries.get(word, (0, 0))[0] | LEAD, word_hash(word.encode()))
    return entries


def _insert(table: Vocabulary, word: int, meaning: int, value: int) -> None:
    slot = word % _SLOTS
    while table.hashes[slot]:
        slot = (slot + 1) % _SLOTS
    table.hashes[slot], table.meanings[slot], table.values[slot] = word, meaning, value
