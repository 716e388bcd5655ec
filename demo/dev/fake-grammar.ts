/** In place of `inglenook_grammar_wasm.js`: the page never asks for it. */

import { fakeGrammarModule } from '../../npm/test/fake-grammar.js';

export const { WasmGrammars } = fakeGrammarModule().module;

export default async function init(): Promise<void> {}
