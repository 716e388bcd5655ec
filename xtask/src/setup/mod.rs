//! All the set-up a fresh machine needs. Each step checks first, says in one line what it does, and is quick when
//! there is nothing to do.

mod apt;
pub mod arm;
mod bindgen;
mod npm;
pub mod wasm_target;

use anyhow::Result;

use crate::workspace::Workspace;

pub use apt::{ensure_browsers_and_vulkan as browsers_and_vulkan, lavapipe_manifest};
pub use bindgen::program as wasm_bindgen;
pub use npm::peers;

/// What every chore together needs.
///
/// # Errors
/// A sentence that names what is missing and how to install it.
pub fn everything(workspace: &Workspace) -> Result<()> {
    for_wasm(workspace)?;
    apt::ensure_browsers_and_vulkan()
}

/// What building the WebAssembly module and the npm packages needs.
///
/// # Errors
/// A sentence that names what is missing and how to install it.
pub fn for_wasm(workspace: &Workspace) -> Result<()> {
    wasm_target::ensure(workspace)?;
    bindgen::ensure(workspace)?;
    npm::ensure(workspace)
}
