//! The model's tokenizer, which is elsewhere: a function of JavaScript, or texts whose tokens were told, where it is in another worker.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use inglenook_grammar::Tokenize;
use js_sys::{Function, Uint8Array, Uint32Array};
use wasm_bindgen::{JsCast, JsValue};

/// Most texts whose tokens are kept.
const MOST_KNOWN: usize = 10_000;

/// Texts whose tokens were told, and those that were asked for in vain.
#[derive(Clone, Default)]
pub struct Known(Arc<Mutex<Texts>>);

#[derive(Default)]
struct Texts {
    known: HashMap<Vec<u8>, Vec<u32>>,
    lacking: Vec<Vec<u8>>,
}

impl Known {
    fn with<T>(&self, act: impl FnOnce(&mut Texts) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether the tokens of texts are lacking.
    pub fn is_lacking(&self) -> bool {
        self.with(|texts| !texts.lacking.is_empty())
    }

    /// The texts whose tokens are lacking, once.
    pub fn take_lacking(&self) -> Vec<Vec<u8>> {
        self.with(|texts| std::mem::take(&mut texts.lacking))
    }

    /// Tells the tokens of a text.
    pub fn learn(&self, text: Vec<u8>, tokens: Vec<u32>) {
        self.with(|texts| {
            if texts.known.len() >= MOST_KNOWN {
                texts.known.clear();
            }
            texts.known.insert(text, tokens);
        });
    }

    /// The tokens that were told; none where they are lacking, which is noted.
    pub fn tokenize(&self) -> Tokenize {
        let known = self.clone();
        Box::new(move |text| {
            known.with(|texts| match texts.known.get(text) {
                Some(tokens) => tokens.clone(),
                None => {
                    if !texts.lacking.iter().any(|lacking| lacking == text) {
                        texts.lacking.push(text.to_vec());
                    }
                    Vec::new()
                }
            })
        })
    }
}
thread_local! {
    /// The tokenizers given so far. A number can be sent anywhere, as a tokenizer must be; a JavaScript function cannot.
    static FUNCTIONS: RefCell<Vec<Option<Function>>> = const { RefCell::new(Vec::new()) };
}

/// A tokenizer's place, given back when this is dropped.
pub struct Registration(usize);

impl Registration {
    /// Keep a function from bytes (`Uint8Array`) to tokens (`Uint32Array`).
    pub fn new(function: Function) -> Registration {
        FUNCTIONS.with_borrow_mut(|functions| {
            functions.push(Some(function));
            Registration(functions.len() - 1)
        })
    }

    /// The function, as the matcher takes it. What throws, or answers with something else, tokenises nothing.
    pub fn tokenize(&self) -> Tokenize {
        let place = self.0;
        Box::new(move |bytes| call(place, bytes).map(|tokens| tokens.to_vec()).unwrap_or_default())
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        FUNCTIONS.with_borrow_mut(|functions| functions[self.0] = None);
    }
}

fn call(place: usize, bytes: &[u8]) -> Option<Uint32Array> {
    // Cloned out, since the function may come back into this module.
    let function = FUNCTIONS.with_borrow(|functions| functions.get(place).cloned().flatten())?;
    function.call1(&JsValue::UNDEFINED, &Uint8Array::from(bytes)).ok()?.dyn_into().ok()
}
