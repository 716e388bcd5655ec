"""Ways to ask. Templates hold `{slots}`; `ask` varies a template's manner before the slots are filled, so that what a user
names (a word, a city) stays as it is written."""

import re

OPENERS = ["Please ", "Hey ember, ", "Hi! ", "Hello, ", "ember, ", "OK, ", "Quick question: ", "Hi ember! ", "Now ", "So, ",
           "Can you help? ", "And ", "Good morning! ", "Tell me: ", "Next: ", "I wonder: "]
CLOSERS = [" Please.", " please", " Thanks!", " Thank you.", " thanks", " :)", ""]
SLOT = re.compile(r"(\{\w+\})")


def outside_slots(template, change):
    """`template` with `change` applied to its text, its `{slots}` untouched."""
    return "".join(part if SLOT.fullmatch(part) else change(part) for part in SLOT.split(template))


def manner(rng, template, openers=True):
    """`template` in another manner: lower or upper case, no final mark, polite words around it."""
    if rng.random() < 0.12 and "What is" in template:
        template = template.replace("What is", rng.choice(["What's", "Whats", "what's"]))
    if rng.random() < 0.2:
        template = template.rstrip("?.!")
    if openers and rng.random() < 0.15:
        opener = rng.choice(OPENERS)
        template = opener + (template if rng.random() < 0.4 else template[:1].lower() + template[1:])
    if openers and rng.random() < 0.1:
        template += rng.choice(CLOSERS)
    kind = rng.random()
    if kind < 0.2:
        return outside_slots(template, str.lower)
    if kind < 0.23:
        return outside_slots(template, str.upper)
    return template


def ask(rng, templates, openers=True, **slots):
    """One of `templates`, in a varied manner, with its slots filled."""
    return manner(rng, rng.choice(templates), openers).format(**slots)
