//! Figures of requests and of an engine: how long things took, how many tokens there were, what memory is used.
//!
//! They are counted here and shown as data (serde) or as text for Prometheus. Times are milliseconds, as everywhere in the engine, except in
//! that text, whose base unit is seconds. Nothing here grows with the number of requests.

use litemap::LiteMap;
use serde::Serialize;

use super::page_store::PageStoreCounts;

mod histogram;
mod prometheus;

pub use histogram::{Histogram, Summary};
pub use prometheus::to_prometheus;

/// Figures of one request.
#[derive(Debug, Clone, Default, Serialize)]
pub struct RequestMetrics {
    /// From submission until the request joined the batch.
    pub queue_ms: f64,
    /// From there until its first token.
    pub prefill_ms: f64,
    /// From submission until the first token. None if none came.
    pub first_token_ms: Option<f64>,
    /// From each token to the next.
    pub token_ms: Histogram,
    /// Tokens of the prompt, those cached included.
    pub prompt_tokens: u64,
    /// Tokens of the prompt that were not computed again.
    pub cached_tokens: u64,
    /// Tokens generated.
    pub completion_tokens: u64,
    /// Tokens proposed by speculation.
    pub drafted_tokens: u64,
    /// Tokens accepted of them.
    pub accepted_tokens: u64,
}

/// Tokens a second, of late.
#[derive(Debug, Clone, Copy, Default)]
pub struct Throughput {
    per_second: f64,
    at_ms: f64,
}

impl Throughput {
    /// How long tokens count: each weighs 1/e after this time.
    const MEMORY_MS: f64 = 10_000.0;

    /// Counts tokens generated at `now_ms`, by a clock that does not go back.
    pub fn record(&mut self, tokens: u64, now_ms: f64) {
        self.per_second = self.per_second(now_ms) + tokens as f64 * 1000.0 / Self::MEMORY_MS;
        self.at_ms = now_ms;
    }

    /// The rate at `now_ms`.
    pub fn per_second(&self, now_ms: f64) -> f64 {
        let passed = (now_ms - self.at_ms).max(0.0);
        self.per_second * (-passed / Self::MEMORY_MS).exp()
    }
}

/// Figures of an engine since it was loaded. A request of `n` answers counts as so many, a refused one as one; the times and tokens are
/// those of requests that have ended.
#[derive(Debug, Clone, Default, Serialize)]
pub struct EngineMetrics {
    /// Requests that have ended, by the reason for which they did, or by their error's code.
    pub requests: LiteMap<&'static str, u64>,
    /// Requests that wait.
    pub queued: u64,
    /// Requests in the batch.
    pub running: u64,
    /// Running requests that had to give their pages up for others.
    pub preemptions: u64,
    /// Time in the queue.
    pub queue_ms: Histogram,
    /// Time of prompts.
    pub prefill_ms: Histogram,
    /// Time until the first token.
    pub first_token_ms: Histogram,
    /// Time from each token to the next.
    pub token_ms: Histogram,
    /// Tokens of prompts, those cached included.
    pub prompt_tokens: u64,
    /// Tokens of prompts that were not computed again.
    pub cached_tokens: u64,
    /// Tokens generated.
    pub completion_tokens: u64,
    /// Tokens proposed by speculation.
    pub drafted_tokens: u64,
    /// Tokens accepted of them.
    pub accepted_tokens: u64,
    /// Pages of the cache.
    pub pages: u64,
    /// Pages in use.
    pub pages_used: u64,
    /// Pages in use more than once.
    pub pages_shared: u64,
    /// Pages taken from the prefix index for others.
    pub pages_evicted: u64,
    /// What came of the embedder's store of pages.
    pub page_store: PageStoreCounts,
    /// Tokens generated a second, of late.
    pub tokens_per_second: f64,
    /// Device memory by purpose, bytes.
    pub memory_bytes: LiteMap<&'static str, u64>,
}

impl EngineMetrics {
    /// Counts a request that was refused with an error of this code.
    pub fn refuse(&mut self, code: &'static str) {
        *self.requests.entry(code).or_default() += 1;
    }

    /// Adds a request that has ended, for `reason`.
    pub fn record(&mut self, request: &RequestMetrics, reason: &'static str) {
        *self.requests.entry(reason).or_default() += 1;
        self.queue_ms.record(request.queue_ms);
        if let Some(first_token_ms) = request.first_token_ms {
            self.prefill_ms.record(request.prefill_ms);
            self.first_token_ms.record(first_token_ms);
        }
        self.token_ms.merge(&request.token_ms);
        self.prompt_tokens += request.prompt_tokens;
        self.cached_tokens += request.cached_tokens;
        self.completion_tokens += request.completion_tokens;
        self.drafted_tokens += request.drafted_tokens;
        self.accepted_tokens += request.accepted_tokens;
    }
}

#[cfg(test)]
mod tests;
