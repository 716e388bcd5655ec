"""Ways to ask. Templates hold `{slots}`; `ask` varies a template's manner before the slots are filled, so that what a user
names (a word, a city) stays as it is written."""

import re

OPENERS = ["Please ", "Hey ember, ", "Hi! ", "Hello, ", "ember, ", "OK, ", "Quick question: ", "Hi ember! ", "Now ", "So, ",
           "Can you help? ", "And ", "Good morning! ", "Tell me: ", "Next: ", "I wonder: "]
CLOSERS = [" Please.", " please", " Thanks!", " Thank you.", " thanks", " :)", ""]
SLOT = re.compile(r"(\{\w+\})")

# Other ways to put an order ("Reverse {w}.") and a question ("What is the plural of {w}?"). `@` stands for the template's own words.
ORDERS = ["Could you @?", "Would you @?", "Will you @?", "I'd like you to @.", "You should @.", "@, will you?", "Would you @ for me?", "Could you @ for me?", "Let us @."]
QUESTIONS = ["Do you know what @ is?", "I wonder what @ is.", "What would you say @ is?", "What might @ be?", "What could @ be?", "Any idea what @ is?", "I want @.",
             "I'd like to know @.", "Let me know @.", "Can I have @?", "I would like @.", "Would you tell me @?"]
VERBS = set("""add sum calculate compute solve work give tell name find say make write reverse spell turn count list start set search look google send email mail text message
wake remind translate convert change get switch play put call phone ring book roll throw take save note multiply show open launch light heat""".split())


def outside_slots(template, change):
    """`template` with `change` applied to its text, its `{slots}` untouched."""
    return "".join(part if SLOT.fullmatch(part) else change(part) for part in SLOT.split(template))


def reworded(rng, template):
    """`template` as another kind of sentence, if it is an order or a question of a kind that can be."""
    first, _, rest = template.partition(" ")
    if first.lower() in VERBS and rest:
        return rng.choice(ORDERS).replace("@", first.lower() + " " + rest.rstrip(".?"))
    if template.startswith("What is the ") and template.endswith("?"):
        return rng.choice(QUESTIONS).replace("@", template[len("What is "):-1])
    return template


def manner(rng, template, openers=True):
    """`template` in another manner: another kind of sentence, lower or upper case, no final mark, polite words around it."""
    if openers and rng.random() < 0.25:
        template = reworded(rng, template)
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
