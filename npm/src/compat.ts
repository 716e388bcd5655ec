/** What some of the browsers that can run the engine do not have, or have only in secure contexts. */

/** `AbortSignal.any`, which Chrome has from 116 and Safari from 17.4. */
export function anySignal(signals: readonly AbortSignal[]): AbortSignal {
  if (AbortSignal.any !== undefined) return AbortSignal.any([...signals]);
  const controller = new AbortController();
  for (const signal of signals) {
    if (signal.aborted) controller.abort(signal.reason);
    signal.addEventListener('abort', () => controller.abort(signal.reason), { once: true, signal: controller.signal });
  }
  return controller.signal;
}

/** `text.toWellFormed()`, which Firefox has from 119: unpaired surrogates become U+FFFD. */
export function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, '\ufffd');
}

/** As random as `crypto.randomUUID()`, which insecure contexts do not have. */
export function randomId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
