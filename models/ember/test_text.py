"""What the training text must and must not hold: `python -m unittest test_text`."""

import itertools
import random
import re
import unittest

from transformers.utils.chat_template_utils import render_jinja_template

import skills
import text
import tokenizer
from split import held_out

ANSWERS = {  # the shape of an answer -> (skill, what of it the split is keyed by)
    r"(\d+) \+ (\d+) = \d+\.": lambda a, b: held_out("addition", a, b),
    r"The plural of (\w+) is \w+\.": lambda word: word in skills._KNOWN and word not in skills.IRREGULAR_PLURALS and held_out("plural", word),
    r"The letters are ([a-z-]+), so": lambda word: word.replace("-", "") in skills._KNOWN and held_out("reversal", word.replace("-", "")),
}


class TrainingText(unittest.TestCase):
    def test_holds_nothing_that_is_held_out(self):
        found = dict.fromkeys(ANSWERS, 0)
        for seed in range(3000):
            messages, tools = text.conversation(random.Random(seed))
            for message, pattern in itertools.product(messages, ANSWERS):
                if tools or message["role"] != "assistant":
                    continue
                match = re.match(pattern, message["content"].replace(skills.CUT, ""))
                if match:
                    found[pattern] += 1
                    self.assertFalse(ANSWERS[pattern](*match.groups()), message["content"])
        self.assertTrue(all(count > 200 for count in found.values()), found)

    def test_counting_ranges_are_held_out(self):
        rng = random.Random(1)
        for _ in range(2000):
            _, answer, _ = skills.counting(rng)
            numbers = [int(n) for n in answer.rstrip(".").split(", ")]
            self.assertFalse(held_out("counting", min(numbers), max(numbers)), answer)

    def test_is_the_same_for_the_same_seed(self):
        self.assertEqual(list(text.documents(4, 50)), list(text.documents(4, 50)))
        self.assertNotEqual(list(text.documents(4, 50)), list(text.documents(5, 50)))

    def test_encodes_in_pieces_as_in_one(self):
        bpe = tokenizer.train(1, 1000)
        for document in text.documents(9, 200):
            document = document.replace(skills.CUT, "")
            whole = bpe.encode(document, add_special_tokens=False).ids
            self.assertEqual(text.encode(bpe, document)[0], whole)
            self.assertEqual(bpe.decode(whole, skip_special_tokens=False), document)

    def test_template_renders_as_in_transformers(self):
        call = {"type": "function", "function": {"name": "f", "arguments": {"a": 1, "b": "<é>"}}}
        messages = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "hi"}, {"role": "assistant", "content": "", "tool_calls": [call]},
                    {"role": "tool", "content": "1"}, {"role": "tool", "content": "2"}, {"role": "assistant", "content": "Done"}]
        for tools in (None, [{"type": "function", "function": {"name": "f", "description": "x <b>", "parameters": {}}}]):
            theirs, _ = render_jinja_template([messages], tools=tools, chat_template=text.TEMPLATE, add_generation_prompt=True)
            self.assertEqual(theirs[0], text.template().render(messages=messages, tools=tools, add_generation_prompt=True))


if __name__ == "__main__":
    unittest.main()
