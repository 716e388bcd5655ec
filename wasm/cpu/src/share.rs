//! Matmuls that this module shares with others: see `inglenook::plan::module::Sharing`.

use std::cell::RefCell;

use inglenook::plan::module::Sharing;

use crate::{HOST, tell};

thread_local! {
    /// The answer of a module on its way in.
    static ANSWER: RefCell<Vec<f32>> = RefCell::default();
}

/// From now on, matmuls of more than `least` multiplications are shared by so many modules, of which this is number 0. What they send is at
/// most `room` bytes.
#[unsafe(no_mangle)]
pub extern "C" fn share(modules: u32, least: f64, room: u32) {
    let sharing = Sharing { modules: modules as usize, least: least as u64, room: room as usize };
    HOST.with_borrow_mut(|host| host.share(sharing));
}

/// What a module has to learn of these weights is the text then; its bytes.
#[unsafe(no_mangle)]
pub extern "C" fn share_of(weights: u32, module: u32) -> usize {
    tell(HOST.with_borrow(|host| host.share_of(weights as usize, module as usize)))
}

/// The number of the weights of the matmuls that are due.
#[unsafe(no_mangle)]
pub extern "C" fn due_weights() -> u32 {
    HOST.with_borrow(|host| host.exchange().map_or(0, |(weights, _)| weights as u32))
}

/// Where their x is.
#[unsafe(no_mangle)]
pub extern "C" fn due_x() -> *const f32 {
    HOST.with_borrow(|host| host.exchange().map_or(std::ptr::null(), |(_, x)| x.as_ptr()))
}

/// How many values it has.
#[unsafe(no_mangle)]
pub extern "C" fn due_values() -> usize {
    HOST.with_borrow(|host| host.exchange().map_or(0, |(_, x)| x.len()))
}

/// Computes the share of a module.
#[unsafe(no_mangle)]
pub extern "C" fn compute(module: u32) {
    HOST.with_borrow_mut(|host| host.compute(module as usize));
}

/// Makes room for an answer; its address.
#[unsafe(no_mangle)]
pub extern "C" fn answer(values: usize) -> *mut f32 {
    ANSWER.with_borrow_mut(|answer| {
        answer.resize(values, 0.0);
        answer.as_mut_ptr()
    })
}

/// Takes it as the share of a module; false where it is none.
#[unsafe(no_mangle)]
pub extern "C" fn take(module: u32) -> bool {
    ANSWER.with_borrow(|answer| HOST.with_borrow_mut(|host| host.take(module as usize, answer)))
}
