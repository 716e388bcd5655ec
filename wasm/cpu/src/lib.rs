//! The module that computes on the CPU: buffers and plans by number, for the engine's module to use through `npm/src/cpu-module.ts`.
//!
//! It has the plain interface of WebAssembly and no glue: numbers go in and out, texts and bytes through memory. It imports nothing, and must
//! never know models or requests.
#![cfg(target_arch = "wasm32")]

use std::cell::RefCell;

use inglenook::Device;
use inglenook::device::module::ModuleRange;
#[cfg(feature = "selftest")]
use inglenook::kernels::cpu::{FastWay, Precision, Processor};
#[cfg(feature = "selftest")]
use inglenook::kernels::verify::check_fast_ways;
use inglenook::plan::module::ModuleHost;

mod helper;
mod share;

/// Compares all kernels with their twins: the text is how many cases there are, or what is wrong; its bytes.
#[cfg(feature = "selftest")]
#[unsafe(no_mangle)]
pub extern "C" fn selftest() -> usize {
    let processor = Processor::all().pop().expect("a set of instructions");
    let ways = [Precision::Rounded, Precision::Exact].map(|precision| FastWay { processor, threads: 1, precision });
    tell(match ways.into_iter().map(check_fast_ways).collect::<Result<Vec<_>, _>>() {
        Ok(names) => names.concat().len().to_string(),
        Err((name, wrong)) => format!("{name}: {wrong}"),
    })
}

thread_local! {
    static HOST: RefCell<ModuleHost> = RefCell::default();
    /// A text on its way in or out.
    static TEXT: RefCell<Vec<u8>> = RefCell::default();
}

/// The text.
fn take_text() -> String {
    String::from_utf8_lossy(&TEXT.take()).into_owned()
}

/// Makes this the text; its bytes.
fn tell(text: String) -> usize {
    TEXT.with_borrow_mut(|out| {
        *out = text.into_bytes();
        out.len()
    })
}

/// Makes room for a text of `bytes`; its address.
#[unsafe(no_mangle)]
pub extern "C" fn text(bytes: usize) -> *mut u8 {
    TEXT.with_borrow_mut(|text| {
        text.resize(bytes, 0);
        text.as_mut_ptr()
    })
}

/// What it computes with, as a text; its bytes.
#[unsafe(no_mangle)]
pub extern "C" fn instructions() -> usize {
    tell(HOST.with_borrow(|host| host.instructions()))
}

/// Zero-filled memory; its number, or -1 where there is not so much.
#[unsafe(no_mangle)]
pub extern "C" fn buffer(bytes: u32) -> i32 {
    HOST.with_borrow_mut(|host| host.buffer(bytes.into())).map_or(-1, |number| number as i32)
}

/// Where a buffer is, until memory grows.
#[unsafe(no_mangle)]
pub extern "C" fn address(buffer: u32) -> *mut u32 {
    HOST.with_borrow(|host| host.slice(ModuleRange { buffer, offset: 0, bytes: 0 }).u32s_mut().as_mut_ptr())
}

/// Gives a buffer back.
#[unsafe(no_mangle)]
pub extern "C" fn release_buffer(buffer: u32) {
    HOST.with_borrow_mut(|host| host.release_buffer(buffer));
}

/// Copies bytes from one buffer to another, or within one.
#[unsafe(no_mangle)]
pub extern "C" fn copy(from: u32, from_offset: u32, to: u32, to_offset: u32, bytes: u32) {
    HOST.with_borrow(|host| {
        let slice =
            |buffer, offset: u32| host.slice(ModuleRange { buffer, offset: offset.into(), bytes: bytes.into() });
        Device::Cpu.copy(&[(slice(from, from_offset), slice(to, to_offset))]);
    });
}

/// Reads a plan from the text; its number, or -1 where that is of another build. The choices are the text then, or what is wrong.
#[unsafe(no_mangle)]
pub extern "C" fn plan() -> i32 {
    let steps = take_text();
    let read = HOST.with_borrow_mut(|host| host.plan(&steps).map_err(|error| error.to_string()));
    let (number, text) = read.map_or_else(|wrong| (-1, wrong), |(number, choices)| (number as i32, choices));
    tell(text);
    number
}

/// Bytes of the text.
#[unsafe(no_mangle)]
pub extern "C" fn text_bytes() -> usize {
    TEXT.with_borrow(Vec::len)
}

/// Where the text is.
#[unsafe(no_mangle)]
pub extern "C" fn text_address() -> *const u8 {
    TEXT.with_borrow(|text| text.as_ptr())
}

/// Forgets a plan.
#[unsafe(no_mangle)]
pub extern "C" fn release_plan(plan: u32) {
    HOST.with_borrow_mut(|host| host.release_plan(plan));
}

/// Begins to run a plan: `go_on` does it.
#[unsafe(no_mangle)]
pub extern "C" fn start(plan: u32) {
    HOST.with_borrow_mut(|host| host.start(plan));
}

/// Runs the plan to its end, or to the next matmuls that are shared; then true, and `compute` or `take` is due for each module.
#[unsafe(no_mangle)]
pub extern "C" fn go_on() -> bool {
    HOST.with_borrow_mut(ModuleHost::go_on)
}
