"""The parts of generate.py: one module a kind of golden, plus what they share."""
