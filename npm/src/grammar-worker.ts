/**
 * Grammars in a worker of their own: a schema that takes a second to compile keeps no answer waiting but its own. Each step of a text is
 * one message and one answer, unless the module needs the tokens of a text that must come: the tokenizer is the engine's.
 */

import { InternalError, toWire, type WireError } from './errors.js';
import type { FirstCommand, Thread } from './thread.js';
import type {
  EngineGrammars,
  EngineMatcher,
  GrammarModule,
  MatcherStep,
  WasmGrammars,
  WasmMatcher,
  WasmTokenizer,
} from './wasm.js';

/** The worker's end. */
export type GrammarWorker = Thread<GrammarCommand, GrammarReport>;

/** To the worker. Texts are told by numbers, of which each has one step under way. */
export type GrammarCommand =
  /** Comes first. */
  | Extract<FirstCommand, { type: 'grammars' }>
  | { readonly type: 'begin'; readonly vocabulary: Uint8Array; readonly eosTokens: Uint32Array }
  /** The first of a text has its grammar. */
  | { readonly type: 'step'; readonly id: number; readonly spec?: string | undefined; readonly step: MatcherStep }
  /** The tokens that a step lacked. */
  | { readonly type: 'learn'; readonly id: number; readonly texts: readonly (readonly [Uint8Array, Uint32Array])[] }
  | { readonly type: 'free'; readonly id: number };

/** What came of a step. */
export type GrammarReport =
  | { readonly id: number; readonly words: Uint32Array }
  | { readonly id: number; readonly lacking: Uint8Array[] }
  | { readonly id: number; readonly error: WireError };

/** The engine's side. `onEnd` is called when the worker is no more. */
export function remoteGrammars(
  worker: GrammarWorker,
  tokenizer: WasmTokenizer,
  onEnd: () => void,
): EngineGrammars & { begin(vocabulary: Uint8Array, eosTokens: Uint32Array): void } {
  const waiting = new Map<number, { resolve(words: Uint32Array): void; reject(error: unknown): void }>();
  let lastId = 0;
  let ended: InternalError | undefined;
  const settled = (id: number) => {
    waiting.delete(id);
    worker.keepAlive?.(waiting.size > 0);
  };
  worker.onmessage = ({ data }) => {
    if ('lacking' in data) {
      const texts = data.lacking.map((text) => [text, tokenizer.encode_bytes(text)] as const);
      return worker.postMessage({ type: 'learn', id: data.id, texts });
    }
    const step = waiting.get(data.id);
    settled(data.id);
    if ('words' in data) step?.resolve(data.words);
    else step?.reject(Object.assign(new Error(data.error.message), { name: data.error.code }));
  };
  worker.onerror = (event) => {
    ended = new InternalError(`The worker for grammars stopped (${event.message || 'without a word'}). Ask again.`);
    for (const { reject } of waiting.values()) reject(ended);
    waiting.clear();
    onEnd();
  };
  const compile = (grammar: string): EngineMatcher => {
    lastId += 1;
    const id = lastId;
    let spec: string | undefined = grammar;
    return {
      step: (...step) =>
        new Promise((resolve, reject) => {
          if (ended !== undefined) return reject(ended);
          waiting.set(id, { resolve, reject });
          worker.keepAlive?.(true);
          worker.postMessage({ type: 'step', id, spec, step });
          spec = undefined;
        }),
      free: () => {
        settled(id);
        if (ended === undefined) worker.postMessage({ type: 'free', id });
      },
    };
  };
  return {
    begin: (vocabulary, eosTokens) => worker.postMessage({ type: 'begin', vocabulary, eosTokens }, [vocabulary.buffer]),
    compile,
  };
}

/** A text in the worker, and the step that it is at. */
interface Text {
  readonly spec: string;
  matcher: WasmMatcher | undefined;
  step: MatcherStep | undefined;
}

/** The worker's side: where to hand the commands, in order. */
export function serveGrammars(
  load: (module: WebAssembly.Module) => Promise<GrammarModule>,
  report: (report: GrammarReport, transfer: Transferable[]) => void,
): (command: GrammarCommand) => void {
  const texts = new Map<number, Text>();
  let loaded: Promise<GrammarModule> | undefined;
  let ready: Promise<WasmGrammars> | undefined;

  /** Goes on with a text; nothing where it lacks the tokens of texts. */
  const goOn = (grammars: WasmGrammars, text: Text): Uint32Array | undefined => {
    text.matcher ??= grammars.compile(text.spec);
    const { matcher, step } = text;
    if (matcher === undefined || step === undefined) return matcher?.again();
    text.step = undefined;
    return matcher.step(...step);
  };
  const answer = async (id: number, learned?: readonly (readonly [Uint8Array, Uint32Array])[]): Promise<void> => {
    try {
      const grammars = await ready;
      const text = texts.get(id);
      // Nobody waits any more.
      if (grammars === undefined || text === undefined) return;
      for (const [bytes, tokens] of learned ?? []) grammars.learn(bytes, tokens);
      const words = goOn(grammars, text);
      if (words === undefined) report({ id, lacking: grammars.lacking() }, []);
      else report({ id, words }, [words.buffer]);
    } catch (error) {
      report({ id, error: toWire(error) }, []);
    }
  };
  return (command) => {
    switch (command.type) {
      case 'grammars':
        loaded = load(command.module);
        break;
      case 'begin':
        ready = loaded?.then(({ WasmGrammars }) => new WasmGrammars(command.vocabulary, command.eosTokens));
        ready?.catch(() => undefined);
        break;
      case 'step': {
        const text = texts.get(command.id) ?? { spec: command.spec ?? '', matcher: undefined, step: undefined };
        text.step = command.step;
        texts.set(command.id, text);
        void answer(command.id);
        break;
      }
      case 'learn':
        void answer(command.id, command.texts);
        break;
      case 'free':
        texts.get(command.id)?.matcher?.free();
        texts.delete(command.id);
        break;
    }
  };
}
