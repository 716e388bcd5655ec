//! Requests to rank documents by how well they answer a query.

use serde::{Deserialize, Serialize};

use super::{Embedder, Purpose, prompts};
use crate::engine::request::RequestError;
use crate::error::Error;
use inglenook_format::order::sort_by;
use inglenook_text::Special;

/// Documents to be ranked.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RankingRequest {
    /// What is looked for.
    pub query: String,
    /// The documents.
    pub documents: Vec<String>,
    /// How many of the best are wanted; by default all.
    pub top_n: Option<usize>,
    /// What a document is to do with the query, for models that are told.
    pub instruction: Option<String>,
    /// Whether what is too much of a document is left out, in place of an error.
    pub truncate: bool,
    /// Whether scores are what the classifier gives, and not probabilities.
    pub raw_scores: bool,
    /// Whether documents are given back: the caller's affair.
    pub return_documents: bool,
    /// Ignored: there is one model.
    pub model: Option<String>,
}

/// Documents, the best first.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ranking {
    /// The documents.
    pub results: Vec<RankedText>,
    /// Tokens that were computed.
    pub tokens: usize,
}

/// A document's score.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RankedText {
    /// Its place in the request, from 0.
    pub index: usize,
    /// How well it answers the query: 0 to 1, or what the classifier gives.
    pub score: f32,
}

impl RankingRequest {
    /// Reads a request.
    ///
    /// # Errors
    /// [`RequestError::Form`] where it has another form, with what is wrong.
    pub fn from_json(json: &str) -> Result<RankingRequest, RequestError> {
        serde_json::from_str(json).map_err(|error| RequestError::Form(error.to_string()))
    }
}

impl Embedder {
    /// Ranks documents.
    ///
    /// # Errors
    /// [`RequestError`]; those of [`Embedder::run`].
    pub async fn rank(&self, request: &RankingRequest) -> Result<Ranking, Error> {
        if self.purpose != Purpose::Rank {
            return Err(RequestError::NoRanking.into());
        }
        if request.query.is_empty() || request.documents.is_empty() {
            return Err(RequestError::Form("there must be a `query`, and `documents` to rank".into()).into());
        }
        let texts: Vec<Vec<u32>> = request.documents.iter().map(|document| self.asked(request, document)).collect();
        let tokens = texts.iter().map(Vec::len).sum();
        let scores = self.run(&texts).await?;
        let score = |vector: Vec<f32>| self.score(&vector, request.raw_scores);
        let mut results: Vec<RankedText> =
            scores.into_iter().map(score).enumerate().map(|(index, score)| RankedText { index, score }).collect();
        sort_by(&mut results, |one, other| other.score.total_cmp(&one.score));
        results.truncate(request.top_n.unwrap_or(usize::MAX));
        Ok(Ranking { results, tokens })
    }

    /// The token ids by which a document is ranked.
    fn asked(&self, request: &RankingRequest, document: &str) -> Vec<u32> {
        let tokens = self.ask(request, document);
        let (context, mut text) = (self.context() as usize, document);
        if !request.truncate || tokens.len() <= context {
            return tokens;
        }
        // A document of as many tokens as are too much is left out from its end, by characters: tokens have one at least.
        let mut tokens = tokens;
        while tokens.len() > context && !text.is_empty() {
            let share = text.len() - text.len() * context.min(tokens.len() - 1) / tokens.len();
            text = &text[..text.floor_char_boundary(text.len() - share.max(1))];
            tokens = self.ask(request, text);
        }
        tokens
    }

    fn ask(&self, request: &RankingRequest, document: &str) -> Vec<u32> {
        let tokenizer = self.model().tokenizer();
        if self.model().weights().config().is_causal {
            let (text, given) = prompts::question(request.instruction.as_deref(), &request.query, document);
            return tokenizer.encode_prompt(&text, &given, false);
        }
        tokenizer.encode_pair(&request.query, document, Special::AsText)
    }

    /// The score in what the model gives for a text: of two labels the first is `yes`.
    fn score(&self, vector: &[f32], raw: bool) -> f32 {
        let logit = match (self.answers, vector) {
            (Some([yes, no]), logits) => logits[yes as usize] - logits[no as usize],
            (None, [yes, no, ..]) => yes - no,
            (None, scores) => scores.first().copied().unwrap_or_default(),
        };
        if raw { logit } else { 1.0 / (1.0 + (-logit).exp()) }
    }
}
