"""Trains ember from nothing: `python train.py --out build`. Writes `build/model.pt` and `build/tokenizer.json`.

Text is generated as it is needed, so no example is seen twice by design. Two processes of one thread each, with gradients of their own,
share the weights: on a CPU this is far quicker than one model on two threads. bfloat16 is used where the CPU
multiplies it fast (AMX or AVX512-BF16); weights and optimiser state are float32.
"""

import argparse
import functools
import json
import multiprocessing
import random
import shutil
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer

import tokenizer as bpe
from model import Config, Ember, Layer
from muon import Optimizer
from skills import EXACT_SKILLS
from text import documents, encode, template
from tools import call_text, tool_case

LONGEST = 640
LENGTH_STEP = 32
STEP_MICROS = 4
MICRO_TOKENS = 2048
IGNORED = -100


def batches(tokenizer, seed):
    """Endless steps, each a list of `STEP_MICROS` micro-batches `(inputs, targets)`. Documents wait in buckets by length until one is full."""
    buckets, micros = {}, []
    for document in documents(seed, 1 << 60):
        example = encode(tokenizer, document)
        length = -(-len(example[0]) // LENGTH_STEP) * LENGTH_STEP
        if length > LONGEST:
            continue
        bucket = buckets.setdefault(length, [])
        bucket.append(example)
        if len(bucket) == MICRO_TOKENS // length:
            micros.append(pad(buckets.pop(length), length))
        if len(micros) == STEP_MICROS:
            yield micros
            micros = []


def pad(examples, length):
    """Inputs and targets of one micro-batch, each `[rows, length]`; what is not learned is `IGNORED`. `rows` depends on `length` alone: the CPU's
    matrix library compiles a kernel for every shape it meets, and a score of shapes cost it nothing."""
    inputs = torch.zeros(len(examples), length, dtype=torch.long)
    targets = torch.full((len(examples), length), IGNORED)
    for row, (ids, learned) in enumerate(examples):
        inputs[row, : len(ids)] = torch.tensor(ids)
        targets[row, : len(ids) - 1] = torch.where(torch.tensor(learned[1:]), torch.tensor(ids[1:]), IGNORED)
    return inputs, targets


def learned_positions(targets):
    """Indices into the flattened targets of what is learned, and those targets; filled up to a multiple of 256, again to keep shapes few."""
    flat = targets.flatten()
    positions = (flat != IGNORED).nonzero()[:, 0]
    filler = -len(positions) % 256
    wanted = torch.cat([flat[positions], torch.full((filler,), IGNORED)])
    return torch.cat([positions, torch.zeros(filler, dtype=torch.long)]), wanted


class Workers:
    """Processes of one thread each that read the model's weights in shared memory and write their gradients there."""

    def __init__(self, model, count, half):
        self.model = model.share_memory()
        context = multiprocessing.get_context("spawn")
        self.jobs, self.results = context.Queue(), context.Queue()
        self.gradient_sets = [[torch.zeros_like(p).share_memory_() for p in model.parameters()] for _ in range(count)]
        for gradients in self.gradient_sets:
            context.Process(target=work, args=(self.model, gradients, half, self.jobs, self.results), daemon=True).start()

    def stop(self):
        """Ends the processes."""
        for _ in self.gradient_sets:
            self.jobs.put(None)

    def gradients(self, micros):
        """Sets the model's gradients for one step and returns its mean loss per learned token."""
        learned = sum(int((targets != IGNORED).sum()) for _, targets in micros)
        for inputs, targets in micros:
            self.jobs.put((inputs.numpy(), targets.numpy(), 1 / learned))
        loss = sum(self.results.get() for _ in micros) / learned
        for owner, *shares in zip(self.model.parameters(), *self.gradient_sets):
            owner.grad = torch.stack(shares).sum(0)
            for share in shares:
                share.zero_()
        return loss


def work(model, gradients, half, jobs, results):
    """Serves one process of `Workers`: adds each micro-batch's gradients to `gradients`."""
    torch.set_num_threads(1)
    for parameter, gradient in zip(model.parameters(), gradients):
        parameter.grad = gradient
    if shutil.which("c++"):
        # Fuses what stands between the matrix products, which then takes about half the time.
        forward = torch.compile(Layer.forward, dynamic=True)
        for layer in model.layers:
            layer.forward = functools.partial(forward, layer)
    while job := jobs.get():
        inputs, targets, scale = job
        inputs, targets = torch.from_numpy(inputs), torch.from_numpy(targets)
        positions, wanted = learned_positions(targets)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
            logits = model.logits(model(inputs).flatten(0, 1)[positions])
        loss = F.cross_entropy(logits.float(), wanted, reduction="sum", ignore_index=IGNORED)
        (loss * scale).backward()
        results.put(loss.item())


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
    parser.add_argument("--steps", type=int, default=5500)
    parser.add_argument("--every", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--peak", type=float, default=1.0, help="share of the usual learning rates, for a run that resumes")
    parser.add_argument("--resume", type=Path, help="folder of an earlier run, whose tokenizer and weights to go on from")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(args.seed)
    torch.set_num_threads(1)
    half = torch.backends.cpu.get_cpu_capability() == "AVX512" and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    if args.resume:
        tokenizer = Tokenizer.from_file(str(args.resume / "tokenizer.json"))
    else:
        tokenizer = bpe.train(args.seed)
    tokenizer.save(str(args.out / "tokenizer.json"))
    model = Ember(Config(vocabulary=tokenizer.get_vocab_size()))
    if args.resume:
        model.load_state_dict(torch.load(args.resume / "model.pt", weights_only=True)["weights"])
    print(json.dumps({"parameters": sum(p.numel() for p in model.parameters()), "bfloat16": half}), flush=True)
    probe, workers, optimizer = Probe(tokenizer), Workers(model, 2, half), Optimizer(model, 0.02, 4e-3)
    start, losses = time.time(), []
    for step, micros in enumerate(batches(tokenizer, args.seed + 1)):
        progress = step / args.steps
        done = step == args.steps
        if not done:
            losses.append(workers.gradients(micros))
            optimizer.step(args.peak * rate_at(progress))
        if done or step % 25 == 24:
            line = {"step": step + 1, "minutes": round((time.time() - start) / 60, 1), "progress": round(progress, 3),
                    "loss": round(sum(losses[-25:]) / len(losses[-25:]), 4)}
            if done or step % args.every == args.every - 1:
                line |= probe.score(model, half)
                torch.save({"config": vars(model.config), "weights": model.state_dict()}, args.out / "model.pt")
            print(json.dumps(line), flush=True)
        if done:
            workers.stop()
            break


if __name__ == "__main__":
    main()
