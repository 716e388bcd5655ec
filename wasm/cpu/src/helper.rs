//! What this module computes for another: see `inglenook::plan::module::Helper`.

use std::cell::RefCell;

use inglenook::plan::module::Helper;

use crate::{take_text, tell};

thread_local! {
    static HELPER: RefCell<Helper> = RefCell::default();
}

/// Reads from the text which weights have this number from now on. Where their planes belong, one behind the other; null where there is not
/// so much memory, or the text is of another build: then the text is what is wrong.
#[unsafe(no_mangle)]
pub extern "C" fn learn(weights: u32) -> *mut u32 {
    let text = take_text();
    HELPER.with_borrow_mut(|helper| match helper.learn(weights as usize, &text) {
        Ok(Some(planes)) => planes.as_mut_ptr(),
        Ok(None) => std::ptr::null_mut(),
        Err(error) => {
            tell(error.to_string());
            std::ptr::null_mut()
        }
    })
}

/// Gives the memory of weights back.
#[unsafe(no_mangle)]
pub extern "C" fn forget(weights: u32) {
    HELPER.with_borrow_mut(|helper| helper.forget(weights as usize));
}

/// Makes room for x; its address.
#[unsafe(no_mangle)]
pub extern "C" fn x(values: usize) -> *mut f32 {
    HELPER.with_borrow_mut(|helper| helper.x(values).as_mut_ptr())
}

/// Multiplies x by these weights: how many products there are. None where the weights are not known.
#[unsafe(no_mangle)]
pub extern "C" fn multiply(weights: u32) -> usize {
    HELPER.with_borrow_mut(|helper| helper.multiply(weights as usize).len())
}

/// Where the products are.
#[unsafe(no_mangle)]
pub extern "C" fn products() -> *const f32 {
    HELPER.with_borrow(|helper| helper.products().as_ptr())
}
