/** The page: a model session, a conversation, and their views, wired together. */

import type { Engine } from 'inglenook';
import { Conversation, type Outcome } from './conversation.js';
import { byId } from './dom.js';
import { EventPacer } from './event-pacer.js';
import { choiceName, type ModelChoice, ModelSession, type ModelState } from './model-session.js';
import { TOOL_IDEAS, TOOLS } from './tools/tools.js';
import { AnswerItem } from './view/answer.js';
import { Composer } from './view/composer.js';
import { errorCard } from './view/errors.js';
import { showCounters, showFacts, showSpeed } from './view/facts.js';
import { LoadingCard } from './view/loading.js';
import { Follower, questionItem } from './view/messages.js';
import { outcomeNote, rateOf } from './view/outcome.js';
import { setUpPicker } from './view/picker.js';
import { setUpTheme } from './view/theme.js';
import { setUpThreeWays } from './view/three-ways.js';
import { setUpTools } from './view/tools-switch.js';

const room = byId('room', HTMLElement);
const messages = byId('messages', HTMLElement);
const notice = byId('notice', HTMLElement);
const live = byId('live', HTMLElement);

const follower = new Follower(room);
const conversation = new Conversation();
const session = new ModelSession(showModel);
const composer = new Composer({ send, stop: () => conversation.stop() });
const openPicker = setUpPicker(load);
const openThreeWays = setUpThreeWays((signal) => session.ready(signal));
const toolsAreOn = setUpTools(TOOL_IDEAS, send);

let loadingCard: LoadingCard | undefined;
/** Counts conversations, so that an answer to an earlier one is not shown in a later one. */
let epoch = 0;

setUpTheme();
byId('model-button', HTMLButtonElement).addEventListener('click', openPicker);
byId('three-ways', HTMLButtonElement).addEventListener('click', openThreeWays);
byId('new-chat', HTMLButtonElement).addEventListener('click', newChat);
byId('facts', HTMLDetailsElement).addEventListener('toggle', refreshCounters);
load({ kind: 'ember' });
composer.focus();
keepForOffline();

function load(choice: ModelChoice): void {
  conversation.stop();
  void session.load(choice);
}

function showModel(state: ModelState): void {
  document.body.dataset.model = state.kind;
  const name =
    state.kind === 'ready' ? state.engine.info.model.name || choiceName(state.choice) : choiceName(state.choice);
  byId('model-name', HTMLElement).textContent = name;
  if (state.kind === 'loading') {
    showLoading(name, state);
    return;
  }
  loadingCard = undefined;
  if (state.kind === 'ready') {
    notice.replaceChildren();
    showFacts(state.engine);
    live.textContent = `${name} is ready.`;
  } else {
    const retry = () => load(state.choice);
    const useCpu = () => {
      session.useCpu();
      retry();
    };
    notice.replaceChildren(errorCard(state.error, { retry, useCpu, chooseModel: openPicker }));
  }
}

function showLoading(name: string, { progress }: Extract<ModelState, { kind: 'loading' }>): void {
  if (loadingCard === undefined || progress === undefined) {
    loadingCard = new LoadingCard(name, () => session.cancel());
    notice.replaceChildren(loadingCard.element);
    showFacts(undefined);
  }
  loadingCard.update(progress);
}

/** Takes a question, also while the model still loads. */
function send(text: string): boolean {
  if (conversation.busy) return false;
  conversation.ask(text);
  messages.append(questionItem(text));
  void answer();
  return true;
}

async function answer(): Promise<void> {
  const mine = epoch;
  const item = new AnswerItem();
  document.querySelector('.message.latest')?.classList.remove('latest');
  item.element.classList.add('latest');
  messages.append(item.element);
  setBusy(true);
  follower.start();
  const pacer = new EventPacer((event) => {
    item.show(event);
    follower.follow();
    if (event.kind === 'call') live.textContent = `Calling the tool ${event.name}.`;
  });
  const meter = speedMeter();
  const outcome = await conversation.answer(
    (signal) => session.ready(signal),
    toolsAreOn() ? TOOLS : [],
    (event) => {
      if (mine !== epoch) return;
      pacer.push(event);
      if (event.kind !== 'result' && event.kind !== 'running') meter();
    },
  );
  if (outcome.kind === 'stopped') pacer.flush();
  await pacer.finish();
  if (mine !== epoch) return;
  setBusy(false);
  conclude(item, outcome);
  follower.follow();
}

function conclude(item: AnswerItem, outcome: Outcome): void {
  const again = () => {
    if (conversation.busy) return;
    conversation.dropLastAnswer();
    item.element.remove();
    void answer();
  };
  if (outcome.kind === 'failed') {
    // What failed is the model, and its own card says so.
    if (session.state?.kind === 'failed') item.element.remove();
    else item.fail(errorCard(outcome.error, { retry: remedy(outcome, again), chooseModel: openPicker, newChat }));
    return;
  }
  const rate = rateOf(outcome);
  if (rate !== undefined) showSpeed(rate);
  item.finish(outcomeNote(outcome), again);
  live.textContent = outcome.kind === 'stopped' ? 'Stopped.' : `Answer: ${item.text}`;
  refreshCounters();
}

/** After a lost device only loading again helps; otherwise asking again may. */
function remedy({ error }: Extract<Outcome, { kind: 'failed' }>, again: () => void): () => void {
  const { state } = session;
  const reload = ['Lost', 'OutOfMemory', 'Internal', 'Closed'].includes(error.code);
  if (!reload || state === undefined) return again;
  return () => {
    load(state.choice);
    again();
  };
}

/** Shows the speed of an answer while it grows: call it for each token. */
function speedMeter(): () => void {
  let first = 0;
  let tokens = 0;
  return () => {
    const now = performance.now();
    if (tokens === 0) first = now;
    else if (now - first > 200) showSpeed((tokens / (now - first)) * 1000);
    tokens += 1;
  };
}

function newChat(): void {
  epoch += 1;
  conversation.clear();
  messages.replaceChildren();
  setBusy(false);
  composer.focus();
}

function setBusy(busy: boolean): void {
  composer.setBusy(busy);
  document.body.classList.toggle('busy', busy);
}

function refreshCounters(): void {
  if (!byId('facts', HTMLDetailsElement).open || session.state?.kind !== 'ready') return;
  const engine: Engine = session.state.engine;
  if (engine.info.adapter.backend === 'cpu') return;
  engine.counters().then(showCounters, () => undefined);
}

/** Let the built page be there without a network, too. Where the browser refuses, it just is not. */
function keepForOffline(): void {
  if (import.meta.env.PROD && 'serviceWorker' in navigator) {
    navigator.serviceWorker.register('./offline.js').catch(() => undefined);
  }
}
