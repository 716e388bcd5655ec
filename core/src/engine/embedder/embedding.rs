//! Requests for embeddings, in the form of OpenAI's API.

use serde::Deserialize;
use serde_json::Value;

use super::{Embedder, Purpose};
use crate::engine::request::RequestError;
use crate::error::Error;
use inglenook_text::Special;

/// Texts to be embedded.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EmbeddingRequest {
    /// A text, texts, the token ids of a text, or those of texts.
    pub input: Value,
    /// Length of the vectors: so many of their first numbers, normed again, as models of the Matryoshka kind allow. By default all.
    pub dimensions: Option<usize>,
    /// What goes in front of each text, by the model's name for it, such as `query` or `document`.
    pub prompt_name: Option<String>,
    /// What goes in front of each text.
    pub prompt: Option<String>,
    /// Whether what is too much of a text is left out, in place of an error.
    pub truncate: bool,
    /// Whether vectors are made one long; by default they are.
    pub normalize: Option<bool>,
    /// How vectors are written: `float` or `base64`. The caller's affair.
    pub encoding_format: Option<String>,
    /// Ignored: there is one model.
    pub model: Option<String>,
    /// Ignored.
    pub user: Option<String>,
}

/// Embeddings of texts.
#[derive(Debug, Clone, PartialEq)]
pub struct Embeddings {
    /// A vector a text.
    pub vectors: Vec<Vec<f32>>,
    /// Tokens that were computed.
    pub tokens: usize,
}

impl EmbeddingRequest {
    /// Reads a request.
    ///
    /// # Errors
    /// [`RequestError::Form`] where it has another form, with what is wrong.
    pub fn from_json(json: &str) -> Result<EmbeddingRequest, RequestError> {
        let request: EmbeddingRequest =
            serde_json::from_str(json).map_err(|error| RequestError::Form(error.to_string()))?;
        match request.encoding_format.as_deref() {
            None | Some("float" | "base64") => Ok(request),
            Some(found) => Err(RequestError::Unknown {
                name: "encoding_format",
                found: found.to_string(),
                known: "float, base64".to_string(),
            }),
        }
    }
}

impl Embedder {
    /// Embeds texts.
    ///
    /// # Errors
    /// [`RequestError`]; those of [`Embedder::run`].
    pub async fn embed(&self, request: &EmbeddingRequest) -> Result<Embeddings, Error> {
        if self.purpose != Purpose::Embed {
            return Err(RequestError::NoEmbedding.into());
        }
        let texts = self.texts_of(request)?;
        let tokens = texts.iter().map(Vec::len).sum();
        let mut vectors = self.run(&texts).await?;
        let width = vectors.first().map_or(0, Vec::len);
        if let Some(wanted) = request.dimensions {
            if !(1..=width).contains(&wanted) {
                let found = wanted.to_string();
                return Err(RequestError::Range { name: "dimensions", found, wanted: format!("1 to {width}") }.into());
            }
            vectors.iter_mut().for_each(|vector| vector.truncate(wanted));
        }
        if request.normalize != Some(false) {
            vectors.iter_mut().for_each(|vector| normalise(vector));
        }
        Ok(Embeddings { vectors, tokens })
    }

    /// The token ids of each text of a request.
    fn texts_of(&self, request: &EmbeddingRequest) -> Result<Vec<Vec<u32>>, Error> {
        let wrong =
            || RequestError::Form("`input` is a text, texts, token ids of a text, or those of texts".to_string());
        let prompt = self.prompt(request)?;
        let items = match &request.input {
            Value::Array(items) if !items.iter().all(Value::is_number) || items.is_empty() => &items[..],
            one => std::slice::from_ref(one),
        };
        if items.is_empty() {
            return Err(RequestError::Empty.into());
        }
        let vocab = self.model().weights().config().vocab;
        let token = |value: &Value| {
            let id = value.as_u64().and_then(|id| u32::try_from(id).ok()).ok_or_else(wrong)?;
            if id < vocab { Ok(id) } else { Err(RequestError::NoSuchToken(id)) }
        };
        let text = |item: &Value| match item {
            Value::String(text) => {
                let tokens = self.model().tokenizer().encode_whole(&[prompt, text].concat(), Special::AsText);
                Ok(if request.truncate { self.cut(tokens) } else { tokens })
            }
            Value::Array(ids) => ids.iter().map(token).collect(),
            _ => Err(wrong()),
        };
        Ok(items.iter().map(text).collect::<Result<_, RequestError>>()?)
    }

    /// What goes in front of each text.
    fn prompt<'a>(&self, request: &'a EmbeddingRequest) -> Result<&'a str, RequestError> {
        let known = self.model().weights().config().architecture.prompts;
        match (&request.prompt, &request.prompt_name) {
            (Some(_), Some(_)) => Err(RequestError::TwoNames("prompt".into(), "prompt_name".into())),
            (Some(prompt), None) => Ok(prompt),
            (None, None) => Ok(""),
            (None, Some(name)) => match known.iter().find(|(known, _)| known == name) {
                Some((_, prompt)) => Ok(prompt),
                None => {
                    let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
                    let known = if names.is_empty() { "none; give `prompt`".to_string() } else { names.join(", ") };
                    Err(RequestError::Unknown { name: "prompt_name", found: name.clone(), known })
                }
            },
        }
    }

    /// As many of a text's first tokens as the context has, and what stands behind texts.
    fn cut(&self, mut tokens: Vec<u32>) -> Vec<u32> {
        let context = self.context() as usize;
        if tokens.len() > context {
            let suffix = self.model().tokenizer().suffix();
            tokens.truncate(context.saturating_sub(suffix.len()));
            tokens.extend(suffix);
            tokens.truncate(context);
        }
        tokens
    }
}

/// Makes a vector one long; one of zeros stays.
fn normalise(vector: &mut [f32]) {
    let length = vector.iter().map(|v| f64::from(*v) * f64::from(*v)).sum::<f64>().sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|v| *v = (f64::from(*v) / length) as f32);
    }
}
