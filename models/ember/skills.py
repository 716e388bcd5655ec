"""The skills with one right answer: addition, opposites, plurals, reversal, counting.

Each skill is a function `(rng, evaluating) -> (question, answer, expect)`. With `evaluating` false it draws only what the
training text may hold; with it true only what is held out (see `split.py`), in phrasings of its own. `expect` is the rule by
which `evaluate.py` scores the answer.
"""

import os.path

from phrasing import ask
from split import held_out
from words import EXTRA_WORDS, IRREGULAR_PLURALS, NOUNS, opposites, plural

# Stands between two letters that must be two tokens; `text.encode` removes it. Spelled answers are learned letter by letter.
CUT = "\ue000"

OPPOSITES = opposites()
WORDS = sorted(set(NOUNS + EXTRA_WORDS + list(OPPOSITES) + list(IRREGULAR_PLURALS)))

_UNITS = ("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
          "eighteen nineteen").split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()


def number_word(n):
    """`n` below 100 in English words."""
    if n < 20:
        return _UNITS[n]
    return _TENS[n // 10 - 2] + ("-" + _UNITS[n % 10] if n % 10 else "")


ADD = ["What is {a} + {b}?", "What is {a} plus {b}?", "{a} + {b}", "{a} + {b} = ?", "{a}+{b}", "Add {a} and {b}.", "Add {a} to {b}.",
       "How much is {a} + {b}?", "How much is {a} and {b}?", "Calculate {a} + {b}.", "What do {a} and {b} make?", "{a} plus {b}?",
       "What is the sum of {a} and {b}?", "Sum {a} and {b}.", "Compute {a} + {b}", "Can you add {a} and {b}?", "What's {a}+{b}?",
       "I have {a} apples and get {b} more. How many do I have?", "What does {a} + {b} equal?", "{a} and {b} is?",
       "Solve {a} + {b}.", "What is {a}+{b}?", "Work out {a} + {b}.", "How many is {a} plus {b}?", "Give me {a} + {b}."]
ADD_EVAL = ["Could you work out {a} plus {b}?", "What is {a} + {b}?", "What is the total of {a} and {b}?", "Please add {a} + {b}.",
            "What do you get for {a} + {b}?"]

OPPOSITE = ["What is the opposite of {w}?", "Opposite of {w}?", "What's the opposite of {w}?", "Give me the opposite of {w}.",
            "Tell me the opposite of {w}.", "The opposite of {w} is what?", "Name the opposite of {w}.", "opposite of {w}",
            "What is the opposite of the word {w}?", "What is the opposite of \"{w}\"?", "Do you know the opposite of {w}?",
            "Which word is the opposite of {w}?", "What word means the opposite of {w}?", "What is an antonym of {w}?",
            "Antonym of {w}?", "{w}: what is the opposite?", "Find the opposite of {w}.", "Say the opposite of {w}."]
OPPOSITE_EVAL = ["Can you tell me the opposite of {w}?", "I need the opposite of {w}.", "What would be the opposite of {w}?",
                 "Please name the opposite of \"{w}\".", "What is the opposite of {w}, please?"]

PLURAL = ["What is the plural of {w}?", "Plural of {w}?", "Give me the plural of {w}.", "Tell me the plural of {w}.", "plural of {w}",
          "What's the plural of {w}?", "What is the plural of \"{w}\"?", "What is the plural form of {w}?", "Make {w} plural.",
          "How do you say {w} in the plural?", "One {w}, two what?", "What is the plural of the word {w}?", "Name the plural of {w}.",
          "Do you know the plural of {w}?", "Write {w} in the plural.", "{w}: what is the plural?", "Say the plural of {w}."]
PLURAL_EVAL = ["Can you tell me the plural of {w}?", "I need the plural of {w}.", "What would be the plural of {w}?",
               "Please name the plural of \"{w}\".", "What is the plural of {w}, please?"]

REVERSE = ["Reverse the word {w}.", "Reverse {w}.", "Spell {w} backwards.", "What is {w} backwards?", "Write {w} backwards.",
           "Reverse the word \"{w}\".", "Reverse \"{w}\".", "What is \"{w}\" spelled backwards?", "Turn {w} around.", "Say {w} backwards.",
           "How do you spell {w} backwards?", "Reverse: {w}", "reverse {w}", "Write the word {w} in reverse.", "{w} backwards?",
           "What is the reverse of {w}?", "Reverse the letters of {w}.", "Reverse the letters in \"{w}\".", "Can you reverse {w}?",
           "Give me {w} in reverse."]
REVERSE_EVAL = ["Can you write {w} backwards?", "Please reverse the word {w}.", "What is the word {w} backwards?",
                "I want \"{w}\" in reverse.", "Spell the word \"{w}\" backwards."]
SPELL = ["Spell {w}.", "How do you spell {w}?", "Spell the word {w}.", "Spell \"{w}\" for me.", "What are the letters of {w}?"]

COUNT = ["Count from {a} to {b}.", "Count from {a} to {b}", "Count {a} to {b}.", "Can you count from {a} to {b}?", "List the numbers from {a} to {b}.",
         "Give me the numbers from {a} to {b}.", "Count up from {a} to {b}.", "Say the numbers from {a} to {b}.", "Write the numbers {a} to {b}.",
         "Numbers from {a} to {b}?", "Count for me from {a} to {b}.", "Start at {a} and count to {b}."]
COUNT_EVAL = ["Could you count from {a} up to {b}?", "Count from {a} to {b}, please.", "Please count for me from {a} to {b}.",
              "I want you to count from {a} to {b}.", "Tell me the numbers from {a} to {b}."]
COUNT_TO = ["Count to {b}.", "Count up to {b}.", "Can you count to {b}?", "Count to {b} for me.", "Count till {b}."]
COUNT_DOWN = ["Count down from {a} to {b}.", "Count backwards from {a} to {b}.", "Count from {a} down to {b}."]


def addition(rng, evaluating=False):
    """The sum of two numbers of at most two digits."""
    while True:
        low = 10 if evaluating or rng.random() < 0.8 else 0
        a, b = rng.randint(low, 99), rng.randint(low, 99)
        if held_out("addition", a, b) == evaluating:
            break
    as_words = not evaluating and rng.random() < 0.1
    show = number_word if as_words else str
    question = ask(rng, ADD_EVAL if evaluating else ADD, a=show(a), b=show(b))
    return question, f"{a} + {b} = {a + b}.", {"contains": str(a + b)}


def opposite(rng, evaluating=False):
    """The opposite of a word. The pairs are known; the evaluation's phrasings are not."""
    word = rng.choice(sorted(OPPOSITES))
    question = ask(rng, OPPOSITE_EVAL if evaluating else OPPOSITE, w=word)
    return question, f"The opposite of {word} is {OPPOSITES[word]}.", {"contains": OPPOSITES[word]}


def pseudo_word(rng, low=3, high=9):
    """A pronounceable word that may well not exist; teaches rules rather than words."""
    onsets = "b c d f g h j k l m n p r s t v w z bl br ch cl cr dr fl fr gl gr pl pr qu sc sh sk sl sm sn sp st str th tr tw wh".split()
    codas = ["", "", "", "b", "d", "g", "k", "l", "m", "n", "p", "r", "s", "t", "x", "ck", "ch", "sh", "st", "nd", "nt", "ng", "ll", "ss", "y",
             "ey", "er", "le", "et", "on", "ic", "ty", "ry", "ly", "se", "ge", "in", "ow"]
    vowels = "a e i o u a e i o u ea ee oo ai ou".split()
    while True:
        word = "".join(rng.choice(onsets) + rng.choice(vowels) for _ in range(rng.choice([1, 1, 2, 2, 3]))) + rng.choice(codas)
        if rng.random() < 0.2:
            word = word[rng.randint(0, 1):]
        if low <= len(word) <= high and word not in _KNOWN:
            return word


_KNOWN = set(WORDS)


def blend(rng):
    """The head of one known word, often all of it, joined to the tail of another: letter sequences as English has them, and the letters of
    tokens that are whole words."""
    while True:
        a, b = rng.choice(WORDS), rng.choice(WORDS)
        head = len(a) if rng.random() < 0.4 else rng.randint(1, len(a))
        word = a[:head] + b[rng.randint(0, len(b) - 1):]
        if 3 <= len(word) <= 11 and word not in _KNOWN:
            return word


def plurals(rng, evaluating=False):
    """The plural of a noun; the evaluation asks for nouns whose plural training never shows."""
    while True:
        kind = rng.random()
        if evaluating:
            word = rng.choice(NOUNS)
        elif kind < 0.5:
            word = rng.choice(NOUNS)
        elif kind < 0.6:
            word = rng.choice(sorted(IRREGULAR_PLURALS))
        else:
            word = rng.choice([pseudo_word, blend])(rng)
        regular = word not in IRREGULAR_PLURALS
        if word.endswith(("o", "f", "fe")) and regular:
            continue
        if (held_out("plural", word) and regular and word in _KNOWN) == evaluating:
            break
    question = ask(rng, PLURAL_EVAL if evaluating else PLURAL, w=word)
    return question, f"The plural of {word} is {inflected(word, plural(word))}.", {"contains": plural(word)}


def inflected(word, form):
    """`form` of `word`, so that what it shares with the word has tokens of its own: they are copied, and an ending follows."""
    shared = len(os.path.commonprefix([word, form]))
    return form[:shared] + CUT + form[shared:] if shared * 2 > len(word) else form


def letters(word):
    """`word` so that every letter becomes its own token."""
    return CUT + CUT.join(word) + CUT


def spelled(word):
    """`word` with dashes between its letters."""
    return CUT + (CUT + "-").join(word) + CUT


def reversal(rng, evaluating=False):
    """A word backwards, by way of its letters; the evaluation's words are never spelled or reversed in training."""
    while True:
        real = evaluating or rng.random() < 0.5
        word = rng.choice(WORDS) if real else rng.choice([pseudo_word, blend, blend])(rng)
        if not 3 <= len(word) <= 9 or word == word[::-1]:
            continue
        if (held_out("reversal", word) and word in _KNOWN) == evaluating:
            break
    if not evaluating and rng.random() < 0.12:
        return ask(rng, SPELL, w=word), f"{spelled(word)}.", {"equals": "-".join(word) + "."}
    asked = word.capitalize() if not evaluating and rng.random() < 0.05 else word
    question = ask(rng, REVERSE_EVAL if evaluating else REVERSE, w=asked)
    backwards = word[::-1]
    return question, f"The letters are {spelled(word)}, so backwards it is {letters(backwards)}.", {"contains": backwards}


def counting(rng, evaluating=False):
    """The numbers from one to another, in steps of one."""
    while True:
        a = rng.randint(0, 90) if evaluating else rng.choice([0, 1, 2, rng.randint(0, 20)] + [rng.randint(0, 90) for _ in range(6)])
        b = a + rng.randint(2, 14)
        if b <= 100 and held_out("counting", a, b) == evaluating:
            break
    down = not evaluating and rng.random() < 0.12
    show = number_word if not evaluating and rng.random() < 0.08 and b < 100 else str
    numbers = list(range(a, b + 1))
    if down:
        question = ask(rng, COUNT_DOWN, a=show(b), b=show(a))
        numbers.reverse()
    elif a == 1 and not evaluating and rng.random() < 0.6:
        question = ask(rng, COUNT_TO, b=show(b))
    else:
        question = ask(rng, COUNT_EVAL if evaluating else COUNT, a=show(a), b=show(b))
    answer = ", ".join(map(str, numbers)) + "."
    return question, answer, {"equals": answer}


EXACT_SKILLS = {"addition": addition, "opposites": opposite, "plurals": plurals, "reversal": reversal, "counting": counting}
