/** The quiet line at the foot of the page, and the facts behind it. */

import type { Counters, Engine } from 'inglenook';
import { byId, el } from '../dom.js';
import * as format from '../format.js';

/** Show what runs where; without an engine, nothing but the promise. */
export function showFacts(engine: Engine | undefined): void {
  const line = byId('facts-line', HTMLElement);
  const list = byId('facts-list', HTMLElement);
  showSpeed(undefined);
  list.replaceChildren();
  if (engine === undefined) {
    line.textContent = 'On this device only';
    line.title = '';
    return;
  }
  const { model, adapter, reason, memory } = engine.info;
  const onCpu = adapter.backend === 'cpu';
  const inSoftware = adapter.software && !onCpu ? ' (in software)' : '';
  line.textContent = `On this device only · ${adapter.name}${inSoftware}`;
  line.title = reason;
  const rows: [string, string][] = [
    [
      'Model',
      `${model.name}, ${model.architecture}, ${format.count(model.parameters)} weights in ${model.weightTypes.join(', ')}`,
    ],
    ['Context', `${model.contextLength.toLocaleString('en')} tokens`],
    [
      'Memory',
      `${format.bytes(memory.weights)} of weights, ${format.bytes(memory.kvCache)} for the context, ${format.bytes(memory.activations)} to compute in`,
    ],
    ['Runs on', onCpu ? adapter.name : `${adapter.name}${inSoftware}, through ${adapter.backend}`],
    ['Because', reason],
  ];
  if (!onCpu) {
    rows.push(
      ['Features', adapter.features.join(', ') || 'none that make a difference'],
      ['Limits', limits(adapter.limits)],
    );
  }
  list.append(...rows.flatMap(([name, value]) => [el('dt', {}, name), el('dd', {}, value)]));
}

function limits({ maxBufferSize, maxStorageBufferBindingSize }: Readonly<Record<string, number>>): string {
  return [
    maxBufferSize === undefined ? '' : `buffers up to ${format.bytes(maxBufferSize)}`,
    maxStorageBufferBindingSize === undefined ? '' : `bindings up to ${format.bytes(maxStorageBufferBindingSize)}`,
  ]
    .filter((text) => text !== '')
    .join(', ');
}

/** The speed of the answer under way, or of the last. */
export function showSpeed(tokensPerSecond: number | undefined): void {
  byId('speed', HTMLElement).textContent = tokensPerSecond === undefined ? '' : format.speed(tokensPerSecond);
}

/** The engine's counters, when the facts are looked at. */
export function showCounters(counters: Counters): void {
  const list = byId('facts-list', HTMLElement);
  for (const old of list.querySelectorAll('.counter')) old.remove();
  for (const [name, value] of Object.entries(counters)) {
    const label = name.replace(/_bytes$/, '').replaceAll('_', ' ');
    const text = name.endsWith('bytes') ? format.bytes(value) : value.toLocaleString('en');
    list.append(el('dt', { class: 'counter' }, `GPU: ${label}`), el('dd', { class: 'counter' }, text));
  }
}
