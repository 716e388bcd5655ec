//! The clock, which browsers have under another name than programs.

#[cfg(not(feature = "web"))]
pub use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
#[cfg(feature = "web")]
pub use web_time::{Duration, Instant, SystemTime, UNIX_EPOCH};
