//! Ctrl-C: remembered, and looked at where work can be stopped cleanly.

use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};

/// Where the program is stuck, the third ctrl-C ends it at once.
const PATIENCE: u32 = 3;

static PRESSED: AtomicU32 = AtomicU32::new(0);

/// The user pressed ctrl-C.
#[derive(Debug, thiserror::Error)]
#[error("interrupted")]
pub struct Interrupted;

/// Takes ctrl-C over from the system, for the rest of the program.
///
/// # Errors
/// When the system refuses.
pub fn listen() -> Result<()> {
    ctrlc::set_handler(|| {
        if PRESSED.fetch_add(1, Ordering::Relaxed) + 1 >= PATIENCE {
            std::process::exit(130);
        }
    })
    .context("cannot listen for ctrl-C")
}

/// Whether it was pressed since [`forget`].
pub fn pressed() -> bool {
    PRESSED.load(Ordering::Relaxed) > 0
}

/// Forgets what was pressed before.
pub fn forget() {
    PRESSED.store(0, Ordering::Relaxed);
}
