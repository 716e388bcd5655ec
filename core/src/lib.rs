//! inglenook: language models on the user's own GPU.
//!
//! A [`Source`](source::Source) gives the bytes of a GGUF file, a [`Model`] is its weights on a [`Device`], an [`Engine`] answers requests
//! with it, and an [`Answer`] is a stream of events; many may be under way at once. A [`Session`] is a conversation with an engine. The engine
//! opens no file and no socket, and starts no thread; whoever calls it decides where bytes come from and which executor polls its futures.
//! An engine and its answers belong to one thread.
//!
//! ```
//! use inglenook::{DeviceChoice, Engine, EngineOptions, Event, Model, ModelOptions, Placement, Request, source::ReadAt};
//!
//! # pollster::block_on(async {
//! let device = Placement::choose(&DeviceChoice::Cpu, &Default::default()).await?;
//! let file = ReadAt::new(std::fs::File::open("../models/ember/ember-q8_0.gguf")?)?;
//! let model = Model::load(device, &file, &ModelOptions::default(), &mut |_| true).await?;
//! let engine = Engine::new(model, &EngineOptions::default()).await?;
//!
//! let request = Request::from_json(r#"{"messages": [{"role": "user", "content": "What is 17 + 25?"}]}"#)?;
//! let mut answer = engine.submit(request)?;
//! while let Some(event) = answer.next().await? {
//!     if let Event::Text { text } = event {
//!         print!("{text}");
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```
//!
//! `ARCHITECTURE.md` is the map of what is behind this page.

// What is behind the page below is for the programs of this workspace, and changes without notice.
mod clock;
#[doc(hidden)]
pub mod device;
#[doc(hidden)]
pub mod engine;
#[doc(hidden)]
pub mod error;
#[doc(hidden)]
pub mod gpu;
#[doc(hidden)]
pub mod kernels;
#[doc(hidden)]
pub mod kv;
#[doc(hidden)]
pub mod model;
#[doc(hidden)]
pub mod placement;
#[doc(hidden)]
pub mod plan;

#[cfg(any(test, feature = "selftest"))]
pub mod selftest;

pub use device::Device;
pub use engine::adapters::AdapterError;
pub use engine::audit::{AuditAnswer, AuditCall, AuditRecord};
pub use engine::embedder::{
    Embedder, EmbedderOptions, EmbeddingRequest, Embeddings, Purpose, RankedText, Ranking, RankingRequest,
};
pub use engine::event::{Event, FinishReason, Timings, TokenLogprob, Usage};
pub use engine::metrics::{EngineMetrics, Histogram, Summary, to_prometheus};
#[cfg(not(target_arch = "wasm32"))]
pub use engine::page_store::FolderStore;
pub use engine::page_store::{PageStore, PageStoreError};
pub use engine::request::{Request, RequestError};
pub use engine::{Answer, Engine, EngineOptions, Info, LoadProgress, Model, ModelOptions, Models, Session};
pub use error::Error;
pub use gpu::{AdapterInfo, GpuOptions};
pub use inglenook_format::{self as format, lora, source};
pub use inglenook_text as text;
pub use kernels::kv::KvType;
pub use model::pooling::Pooling;
pub use placement::{DeviceChoice, Placement};
