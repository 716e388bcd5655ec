//! The model and the layout of pages that sessions are read for.

use inglenook::engine::session_file::{KvLayout, SessionModel};

/// Both.
pub fn model() -> (SessionModel, KvLayout) {
    let model = SessionModel { fingerprint: [0; 32], name: "ember".to_owned(), vocab: 64, adapters: 0 };
    let layout = KvLayout {
        ty: "f16".to_owned(),
        layers: 1,
        kv_heads: 1,
        head_dim: 4,
        page_tokens: 16,
        page_bytes: 256,
        windows: Vec::new(),
    };
    (model, layout)
}
