"""Trains ember from nothing: `python train.py --out build`. Writes `build/model.pt` and `build/tokenizer.json`.

Text is generated as it is needed, so no example is seen twice by design. Two workers, each on one thread with its own gradients, share the
weights: on a machine busy with other work this keeps far more of its speed than one model on two threads. bfloat16 is used where the CPU
multiplies it fast (AMX or AVX512-BF16); weights and optimiser state are float32.
"""

import argparse
import copy
import json
import queue
import random
import threading
import time
from pathlib import Path

import torch
import torch.nn.functional as F

import tokenizer as tokenizers
from model import Config, Ember
from muon import Optimizer
from skills import EXACT_SKILLS
from text import documents, encode, template
from tools import call_text, tool_case

LONGEST = 640
STEP_TOKENS = 6144
MICRO_TOKENS = 2048
IGNORED = -100


def batches(tokenizer, seed):
    """Endless steps, each a list of `(ids, targets)` micro-batches, `[rows, tokens]`, of documents of like length."""
    stream = documents(seed, 1 << 60)
    while True:
        examples, total = [], 0
        while total < STEP_TOKENS:
            ids, learned = encode(tokenizer, next(stream))
            if len(ids) <= LONGEST:
                examples.append((ids, learned))
                total += len(ids)
        examples.sort(key=lambda example: len(example[0]))
        micros, rows = [], []
        for example in examples:
            if rows and (len(rows) + 1) * len(example[0]) > MICRO_TOKENS:
                micros.append(pad(rows))
                rows = []
            rows.append(example)
        yield micros + [pad(rows)]


def pad(rows):
    """Inputs and targets of one micro-batch; what is not learned is `IGNORED`."""
    length = -(-max(len(ids) for ids, _ in rows) // 8) * 8
    inputs = torch.zeros(len(rows), length, dtype=torch.long)
    targets = torch.full((len(rows), length), IGNORED)
    for row, (ids, learned) in enumerate(rows):
        inputs[row, : len(ids)] = torch.tensor(ids)
        follow = torch.tensor(ids[1:])
        targets[row, : len(ids) - 1] = torch.where(torch.tensor(learned[1:]), follow, IGNORED)
    return inputs, targets


class Workers:
    """Two replicas that share their weights with `model` and keep their own gradients."""

    def __init__(self, model, count, half):
        self.model, self.half = model, half
        self.replicas = [copy.deepcopy(model) for _ in range(count)]
        for replica in self.replicas:
            for mine, shared in zip(replica.parameters(), model.parameters()):
                mine.data = shared.data
        self.jobs, self.results = queue.Queue(), queue.Queue()
        for replica in self.replicas:
            threading.Thread(target=self._work, args=(replica,), daemon=True).start()

    def _work(self, replica):
        torch.set_num_threads(1)
        while True:
            inputs, targets, scale = self.jobs.get()
            wanted = targets != IGNORED
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.half):
                logits = replica.logits(replica(inputs)[wanted])
            loss = F.cross_entropy(logits.float(), targets[wanted], reduction="sum")
            (loss * scale).backward()
            self.results.put(loss.item())

    def gradients(self, micros):
        """Sets the model's gradients for one step and returns its mean loss per learned token."""
        learned = sum(int((targets != IGNORED).sum()) for _, targets in micros)
        for inputs, targets in reversed(micros):
            self.jobs.put((inputs, targets, 1 / learned))
        loss = sum(self.results.get() for _ in micros) / learned
        for parameters in zip(self.model.parameters(), *(replica.parameters() for replica in self.replicas)):
            owner, *copies = parameters
            gradients = [p.grad for p in copies if p.grad is not None]
            owner.grad = sum(gradients[1:], gradients[0])
            for p in copies:
                p.grad = None
        return loss


class Probe:
    """Held-out questions, scored by whether every token of the answer is the likeliest: what greedy decoding would write."""

    def __init__(self, tokenizer, each=40):
        rng, render = random.Random(5), template().render
        self.rows = []
        for name, skill in EXACT_SKILLS.items():
            for _ in range(each):
                question, answer, _ = skill(rng, evaluating=True)
                self._add(tokenizer, render, name, question, answer, None)
        for name in ("tools", "unseen"):
            for _ in range(each):
                question, tools, call = tool_case(rng, unseen=name == "unseen")
                self._add(tokenizer, render, name, question, call_text(call), tools)

    def _add(self, tokenizer, render, name, question, answer, tools):
        messages = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
        self.rows.append((name, *encode(tokenizer, render(messages=messages, tools=tools))))

    @torch.no_grad()
    def score(self, model, half):
        """Per skill, the share of answers that are right to the last token."""
        right = {}
        for name, ids, learned in self.rows:
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
                guess = model.logits(model(torch.tensor([ids]))[0]).argmax(-1).tolist()
            ok = all(guess[i - 1] == ids[i] for i in range(1, len(ids)) if learned[i])
            right.setdefault(name, []).append(ok)
        return {name: round(sum(oks) / len(oks), 3) for name, oks in right.items()}


def rate_at(progress):
    """The learning rate's share of its peak: a short warm-up, a plateau, a straight line to nothing."""
    if progress < 0.02:
        return (progress + 0.001) / 0.021
    return min(1.0, max(0.0, (1 - progress) / 0.5))


def main():
    """Trains, probing and saving every `--every` steps."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, default=Path("build"))
    parser.add_argument("--steps", type=int, default=2400)
    parser.add_argument("--minutes", type=float, default=60, help="the schedule ends here even if fewer steps are done")
    parser.add_argument("--every", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(args.seed)
    torch.set_num_threads(1)
    half = torch.backends.cpu.get_cpu_capability() == "AVX512" and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    tokenizer = tokenizers.train(args.seed)
    tokenizer.save(str(args.out / "tokenizer.json"))
    model = Ember(Config(vocabulary=tokenizer.get_vocab_size()))
    print(json.dumps({"parameters": sum(p.numel() for p in model.parameters()), "bfloat16": half}), flush=True)
    probe, workers, optimizer = Probe(tokenizer), Workers(model, 2, half), Optimizer(model, 0.02, 4e-3)
    start, losses = time.time(), []
    for step, micros in enumerate(batches(tokenizer, args.seed + 1)):
        progress = max(step / args.steps, (time.time() - start) / 60 / args.minutes)
        done = progress >= 1
        if not done:
            losses.append(workers.gradients(micros))
            optimizer.step(rate_at(progress))
        if done or step % 25 == 24:
            line = {"step": step + 1, "minutes": round((time.time() - start) / 60, 1), "progress": round(progress, 3),
                    "loss": round(sum(losses[-25:]) / len(losses[-25:]), 4)}
            if done or step % args.every == args.every - 1:
                line |= probe.score(model, half)
                torch.save({"config": vars(model.config), "weights": model.state_dict()}, args.out / "model.pt")
            print(json.dumps(line), flush=True)
        if done:
            break


if __name__ == "__main__":
    main()
