import { expect, test } from 'vitest';
import { createTestEngine } from '../test/engine.js';
import { fakeGrammarModule } from '../test/fake-grammar.js';
import {
  type GrammarCommand,
  type GrammarReport,
  type GrammarWorker,
  remoteGrammars,
  serveGrammars,
} from './grammar-worker.js';
import type { ChatCompletionRequest } from './openai/types.js';
import type { GrammarModule, MatcherStep, WasmGrammars, WasmMatcher } from './wasm.js';

const STEP: MatcherStep = [Uint32Array.of(1), 10, false, 2];
const JSON_ONLY = {
  messages: [{ role: 'user', content: 'Hello' }],
  response_format: { type: 'json_object' },
} as const satisfies ChatCompletionRequest;

/** A worker that runs `module`; messages cross it as copies, and later. */
function workerOf(module: GrammarModule): GrammarWorker & { ended: boolean } {
  const worker: GrammarWorker & { ended: boolean } = {
    ended: false,
    postMessage: (command, transfer = []) => {
      const copy = structuredClone(command, { transfer: transfer as ArrayBuffer[] });
      setTimeout(() => !worker.ended && take(copy));
    },
    onmessage: null,
    onerror: null,
    terminate: () => {
      worker.ended = true;
    },
  };
  const report = (report: GrammarReport) => {
    const data = structuredClone(report);
    setTimeout(() => worker.onmessage?.({ data } as MessageEvent<GrammarReport>));
  };
  const take: (command: GrammarCommand) => void = serveGrammars(async () => module, report);
  take({ type: 'grammars', module: undefined as unknown as WebAssembly.Module });
  return worker;
}

/** Grammars that need the tokens of their own description, and of `step` before a first step. */
function lackingModule(): { readonly module: GrammarModule; readonly live: Set<WasmMatcher> } {
  const live = new Set<WasmMatcher>();
  class Lacking implements WasmGrammars {
    readonly known = new Map<string, Uint32Array>();
    missing: string[] = [];

    tokens(text: string): Uint32Array | undefined {
      const tokens = this.known.get(text);
      if (tokens === undefined) this.missing.push(text);
      return tokens;
    }
    compile(spec: string): WasmMatcher | undefined {
      if (spec === 'wrong') throw Object.assign(new Error('It is wrong.'), { name: 'BadRequest' });
      if (this.tokens(spec) === undefined) return undefined;
      let asked: MatcherStep | undefined;
      const matcher: WasmMatcher = {
        step: (...step) => {
          asked = step;
          return matcher.again();
        },
        again: () => {
          const tokens = this.tokens('step');
          return tokens && asked && Uint32Array.of(tokens.length, ...asked[0], asked[1]);
        },
        free: () => live.delete(matcher),
      };
      live.add(matcher);
      return matcher;
    }
    lacking(): Uint8Array[] {
      return this.missing.splice(0).map((text) => new TextEncoder().encode(text));
    }
    learn(text: Uint8Array, tokens: Uint32Array): void {
      this.known.set(new TextDecoder().decode(text), tokens);
    }
    free(): void {}
  }
  return { module: { WasmGrammars: Lacking }, live };
}

function connect(module: GrammarModule) {
  const tokenized: string[] = [];
  const worker = workerOf(module);
  const tokenizer = {
    encode_bytes: (bytes: Uint8Array) => {
      tokenized.push(new TextDecoder().decode(bytes));
      return Uint32Array.from(bytes);
    },
    free: () => undefined,
  };
  const ends: string[] = [];
  const grammars = remoteGrammars(worker, tokenizer, () => ends.push('ended'));
  grammars.begin(Uint8Array.of(1), Uint32Array.of(2));
  return { grammars, worker, tokenized, ends };
}

test('a step that lacks the tokens of texts gets them, and goes on as it was', async () => {
  const { module } = lackingModule();
  const { grammars, tokenized } = connect(module);
  const text = grammars.compile('spec');
  expect(await text.step(...STEP)).toEqual(Uint32Array.of(4, 1, 10));
  expect(await text.step(Uint32Array.of(7, 8), 3, false, 0)).toEqual(Uint32Array.of(4, 7, 8, 3));
  expect(tokenized).toEqual(['spec', 'step']);
});

test('what is wrong with a description is the error of its own text', async () => {
  const { module } = lackingModule();
  const { grammars } = connect(module);
  const wrong = grammars.compile('wrong').step(...STEP);
  const right = grammars.compile('spec').step(...STEP);
  await expect(wrong).rejects.toMatchObject({ name: 'BadRequest', message: 'It is wrong.' });
  await expect(right).resolves.toBeInstanceOf(Uint32Array);
});

test('a text that is given back is freed, under way or not', async () => {
  const { module, live } = lackingModule();
  const { grammars } = connect(module);
  const [used, unused] = [grammars.compile('spec'), grammars.compile('spec')];
  await used.step(...STEP);
  void unused.step(...STEP);
  unused.free();
  used.free();
  await grammars.compile('spec').step(...STEP);
  expect(live.size).toBe(1);
});

test('the end of the worker is the error of what waits, and of what is asked later', async () => {
  const { module } = lackingModule();
  const { grammars, worker, ends } = connect(module);
  const text = grammars.compile('spec');
  const step = text.step(...STEP);
  worker.onerror?.({ message: 'out of memory' } as ErrorEvent);
  await expect(step).rejects.toThrow('out of memory');
  await expect(text.step(...STEP)).rejects.toThrow('Ask again');
  expect(ends).toEqual(['ended']);
});

test('an engine whose worker for grammars ended starts another', async () => {
  const { module } = fakeGrammarModule();
  const workers: ReturnType<typeof workerOf>[] = [];
  const startGrammars = async () => {
    workers.push(workerOf(module));
    return workers.at(-1);
  };
  const engine = await createTestEngine({ answer: () => ['{', '}'] }, { startGrammars });
  expect(engine.info.grammars).toBe('worker');
  await engine.chat.completions.create(JSON_ONLY);
  workers[0]?.onerror?.({ message: '' } as ErrorEvent);
  const answer = await engine.chat.completions.create(JSON_ONLY);
  expect(answer.choices[0].message.content).toBe('{}');
  await engine.close();
  expect(workers.map(({ ended }) => ended)).toEqual([true, true]);
});

test('where no worker starts, grammars are compiled inline, and the info says so', async () => {
  const engine = await createTestEngine({ answer: () => ['{', '}'] }, { startGrammars: async () => undefined });
  const answer = await engine.chat.completions.create(JSON_ONLY);
  expect(answer.choices[0].message.content).toBe('{}');
  expect(engine.info.grammars).toBe('inline');
  await engine.close();
});
