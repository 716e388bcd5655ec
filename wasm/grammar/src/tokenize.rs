//! The model's tokenizer, which lives in JavaScript's hands.

use std::cell::RefCell;

use inglenook_grammar::Tokenize;
use js_sys::{Function, Uint8Array, Uint32Array};
use wasm_bindgen::{JsCast, JsValue};

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
