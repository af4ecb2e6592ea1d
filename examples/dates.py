"""Sequence to sequence with attention: "friday the third of may nineteen eighty two" becomes "1982-05-03".

An encoder reads the words. A decoder writes the date character by character; for each it sees what it has written, and
looks at the words with attention. In training it is given what it should have written. Tested on dates that are not
among those of the training; ``--short`` trains for one epoch.
"""

import argparse
import datetime

import numpy as np

import pynn
from pynn.layers import GRU, Attention, Bidirectional, Concatenate, Dense, Embedding

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--short", action="store_true")
arguments = parser.parse_args()

ONES = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
ONES = [*ONES.split(), "eighteen", "nineteen"]
TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
FIRST = "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth"
FIRST = [*FIRST.split(), "fifteenth", "sixteenth", "seventeenth", "eighteenth", "nineteenth"]
START = "#"  # what the decoder sees before the first character
LETTERS = START + "-0123456789"
LENGTH = len("1982-05-03")


def number(n):
    """1 to 99, in words."""
    if n < 20:
        return ONES[n - 1]
    return TENS[n // 10 - 2] + (f" {ONES[n % 10 - 1]}" if n % 10 else "")


def ordinal(n):
    """1 to 31, in words."""
    if n < 20:
        return FIRST[n - 1]
    return {20: "twentieth", 30: "thirtieth"}.get(n) or f"{TENS[n // 10 - 2]} {FIRST[n % 10 - 1]}"


def year(n):
    """1900 to 2099, in words."""
    if n // 100 == 19:
        return f"nineteen {number(n % 100)}" if n % 100 else "nineteen hundred"
    return f"two thousand and {number(n % 100)}" if n % 100 else "two thousand"


def in_words(day, form):
    """A date in one of four forms."""
    weekday, month = f"{day:%A}".lower(), f"{day:%B}".lower()
    return (
        f"the {ordinal(day.day)} of {month} {year(day.year)}",
        f"{month} {ordinal(day.day)} {year(day.year)}",
        f"{weekday} the {ordinal(day.day)} of {month} in the year {year(day.year)}",
        f"{weekday} {month} {ordinal(day.day)} {year(day.year)}",
    )[form]


pynn.set_random_seed(1)
count, held_out = (2000 if arguments.short else 12_000), 1000
first = datetime.date(1900, 1, 1)
places = np.random.permutation((datetime.date(2099, 12, 31) - first).days + 1)[: count + held_out]
days = [first + datetime.timedelta(days=int(place)) for place in places]
texts = [in_words(day, form) for day, form in zip(days, np.random.randint(4, size=len(days)), strict=True)]

words = sorted({word for text in texts for word in text.split()})
known = {word: number for number, word in enumerate(words, 1)}  # 0 fills, and is masked
x = pynn.utils.pad_sequences([[known[word] for word in text.split()] for text in texts], padding="post")
y = np.array([[LETTERS.index(letter) for letter in day.isoformat()] for day in days])
before = np.concatenate([np.zeros((len(y), 1), int), y[:, :-1]], axis=1)  # what is written before each letter

read = pynn.Input((x.shape[1],), dtype="int32", name="words")
written = pynn.Input((None,), dtype="int32", name="written")
encoded = Bidirectional(GRU(32, return_sequences=True))(Embedding(len(words) + 1, 32, mask_zero=True)(read))
decoded = GRU(64, return_sequences=True)(Embedding(len(LETTERS), 16)(written))
looked_at = Attention()([decoded, encoded])  # for each letter, the words that matter to it
hidden = Dense(64, activation="relu")(Concatenate()([decoded, looked_at]))
model = pynn.Model([read, written], Dense(len(LETTERS), activation="softmax")(hidden))
model.summary()
model.compile(pynn.optimizers.Adam(0.003), "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit([x[:count], before[:count]], y[:count], batch_size=64, epochs=1 if arguments.short else 5, verbose=2)


def translate(x):
    """The date that the model writes for each of the texts."""
    so_far = np.zeros((len(x), 1), int)
    for _ in range(LENGTH):
        last = model.predict([x, so_far], verbose=0)[:, -1]
        so_far = np.concatenate([so_far, last.argmax(-1)[:, None]], axis=1)
    return ["".join(LETTERS[letter] for letter in row) for row in so_far[:, 1:]]


dates = translate(x[count:])
right = [date == day.isoformat() for date, day in zip(dates, days[count:], strict=True)]
for text, date in list(zip(texts[count:], dates, strict=True))[:5]:
    print(f"{text} -> {date}")
print(f"Exactly right on dates never seen: {np.mean(right):.1%}")
