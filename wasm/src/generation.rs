//! One answer in the making, as JavaScript holds it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use futures_util::future::{AbortHandle, Abortable};
use futures_util::lock::OwnedMutexGuard;
use inglenook::engine::event::{Event, FinishReason, Timings, Usage};
use inglenook::engine::request::Request;
use inglenook::engine::{Answer, Engine};
use js_sys::Promise;
use wasm_bindgen::prelude::*;

use crate::engine::Shared;
use crate::{errors, host};

/// One answer in the making. It has the device from the first call of `next` until its last event, `cancel` or `free`.
#[wasm_bindgen]
pub struct WasmGeneration {
    answer: Rc<Answer>,
}

/// An answer, held by JavaScript and by its own `next` under way.
pub struct Answer {
    shared: Rc<Shared>,
    phase: RefCell<Phase>,
    cancelled: Cell<bool>,
    /// Ends what `next` is waiting for.
    interrupt: RefCell<Option<AbortHandle>>,
}

enum Phase {
    Asked(Box<Request>),
    Running(Running),
    /// `next` is under way and has it.
    Moving,
    Ended,
}

/// An answer that has the device.
struct Running {
    shared: Rc<Shared>,
    generation: Box<Answer>,
    _floor: OwnedMutexGuard<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut engine) = self.shared.take() {
            engine.abandon(&mut self.generation);
            self.shared.put_back(engine);
        }
    }
}

impl WasmGeneration {
    /// The JavaScript face of `answer`.
    pub fn new(answer: Rc<Answer>) -> WasmGeneration {
        WasmGeneration { answer }
    }
}

#[wasm_bindgen]
impl WasmGeneration {
    /// The next event as JSON, or `undefined` after the last. One call at a time.
    #[wasm_bindgen(unchecked_return_type = "Promise<string | undefined>")]
    pub fn next(&self) -> Promise {
        let answer = self.answer.clone();
        host::promise(async move {
            let event = answer.next().await?;
            let json = event.map(|event| serde_json::to_string(&event)).transpose().map_err(errors::internal)?;
            Ok(json.into())
        })
    }

    /// Ends the answer: no further step is begun, and the next event is the last.
    pub fn cancel(&self) {
        self.answer.cancel();
    }
}

impl Drop for WasmGeneration {
    fn drop(&mut self) {
        self.answer.cancel();
    }
}

impl Answer {
    /// An answer to a request that was checked.
    pub fn new(shared: Rc<Shared>, request: Request) -> Rc<Answer> {
        let phase = RefCell::new(Phase::Asked(Box::new(request)));
        Rc::new(Answer { shared, phase, cancelled: Cell::new(false), interrupt: RefCell::default() })
    }

    /// Ends it, also where it waits for its turn or for the device.
    pub fn cancel(&self) {
        self.cancelled.set(true);
        if let Some(interrupt) = self.interrupt.take() {
            interrupt.abort();
        }
    }

    async fn next(&self) -> Result<Option<Event>, JsValue> {
        let (phase, event) = match self.phase.replace(Phase::Moving) {
            Phase::Asked(request) => match self.begin(*request).await {
                Ok(Some(running)) => self.advance(running).await,
                Ok(None) => (Phase::Ended, Ok(Some(nothing_begun()))),
                Err(error) => (Phase::Ended, Err(error)),
            },
            Phase::Running(running) => self.advance(running).await,
            Phase::Moving => (Phase::Moving, Err(errors::misuse("`next` was called before its last call had ended"))),
            Phase::Ended => (Phase::Ended, Ok(None)),
        };
        self.phase.replace(phase);
        event
    }

    /// Waits for its turn; none if it was cancelled before.
    async fn begin(&self, request: Request) -> Result<Option<Running>, JsValue> {
        let Some(floor) = self.unless_cancelled(self.shared.floor.clone().lock_owned()).await else {
            return Ok(None);
        };
        let Some(mut engine) = self.shared.take() else {
            return Ok(None);
        };
        let generation = engine.submit(request);
        self.shared.put_back(engine);
        let generation = Box::new(generation.map_err(errors::to_js)?);
        Ok(Some(Running { shared: self.shared.clone(), generation, _floor: floor }))
    }

    async fn advance(&self, mut running: Running) -> (Phase, Result<Option<Event>, JsValue>) {
        if self.shared.on_cpu {
            host::breathe().await;
        }
        let Some(mut engine) = self.shared.take() else {
            return (Phase::Ended, Ok(Some(nothing_begun())));
        };
        let event = self.event(&mut engine, &mut running.generation).await;
        self.shared.put_back(engine);
        match event {
            Ok(last @ (None | Some(Event::Done { .. }))) => (Phase::Ended, Ok(last)),
            Ok(event) => (Phase::Running(running), Ok(event)),
            Err(error) => (Phase::Ended, Err(error)),
        }
    }

    async fn event(&self, engine: &mut Engine, generation: &mut Answer) -> Result<Option<Event>, JsValue> {
        // Dropped half way, `Engine::next` leaves a generation that can still be cancelled.
        let event = match self.unless_cancelled(engine.next(generation)).await {
            Some(event) => event,
            None => {
                generation.cancel();
                engine.next(generation).await
            }
        };
        event.map_err(errors::to_js)
    }

    /// What `future` gives, or `None` as soon as the answer is cancelled; then the future is dropped.
    async fn unless_cancelled<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        if self.cancelled.get() {
            return None;
        }
        let (interrupt, registration) = AbortHandle::new_pair();
        self.interrupt.replace(Some(interrupt));
        Abortable::new(future, registration).await.ok()
    }
}

/// The last event of an answer that was cancelled before its first, or whose engine is gone.
fn nothing_begun() -> Event {
    Event::Done { reason: FinishReason::Aborted, usage: Usage::default(), timings: Timings::default() }
}
