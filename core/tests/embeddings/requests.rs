//! Requests in OpenAI's form, and what is refused.

use inglenook::engine::request::RequestError;
use inglenook::{Device, Embedder, EmbedderOptions, EmbeddingRequest, Error, Purpose, RankingRequest};
use pollster::block_on;
use serde_json::{Value, json};

use crate::{load, purpose_of};

fn embedder(name: &str) -> Embedder {
    block_on(load(&Device::Cpu, name, &purpose_of(name))).expect("loads")
}

fn embed(embedder: &Embedder, request: Value) -> Result<Vec<Vec<f32>>, Error> {
    let request = EmbeddingRequest::from_json(&request.to_string())?;
    Ok(block_on(embedder.embed(&request))?.vectors)
}

fn length(vector: &[f32]) -> f32 {
    vector.iter().map(|v| v * v).sum::<f32>().sqrt()
}

#[test]
fn input_is_a_text_texts_or_token_ids() {
    let bert = embedder("bert");
    let ids = bert.model().tokenizer().encode_whole("warm", inglenook::text::Special::AsText);
    let one = embed(&bert, json!({"input": "warm"})).expect("embeds");
    for input in [json!(["warm"]), json!(ids), json!([ids])] {
        assert_eq!(embed(&bert, json!({"input": input})).expect("embeds"), one, "{input}");
    }
    assert!((length(&one[0]) - 1.0).abs() < 1e-6);
    let several = embed(&bert, json!({"input": ["cold", "warm", "hot"]})).expect("embeds");
    assert_eq!(several.len(), 3);
    let near = several[1].iter().zip(&one[0]).all(|(a, b)| (a - b).abs() < 1e-6);
    assert!(near, "what is embedded beside a text changes nothing");
    for wrong in [json!(7), json!([["warm"]]), json!({}), Value::Null, json!([1, -1])] {
        let error = embed(&bert, json!({"input": wrong})).expect_err("no input");
        assert!(matches!(error, Error::Request(RequestError::Form(_))), "{wrong}: {error}");
    }
    for (wrong, name) in [(json!([]), "Empty"), (json!([[]]), "Empty"), (json!([331]), "NoSuchToken")] {
        let error = embed(&bert, json!({"input": wrong})).expect_err("no input");
        assert!(format!("{error:?}").contains(name), "{wrong}: {error:?}");
    }
}

#[test]
fn dimensions_are_the_first_numbers_normed_again() {
    let bert = embedder("bert");
    let whole = embed(&bert, json!({"input": "warm", "normalize": false})).expect("embeds").remove(0);
    assert!((length(&whole) - 1.0).abs() > 1e-3);
    let cut = embed(&bert, json!({"input": "warm", "dimensions": 32})).expect("embeds").remove(0);
    assert_eq!(cut.len(), 32);
    let first = length(&whole[..32]);
    assert!(cut.iter().zip(&whole).all(|(cut, whole)| (cut - whole / first).abs() < 1e-6));
    for wrong in [0, 97] {
        let error = embed(&bert, json!({"input": "warm", "dimensions": wrong})).expect_err("no such length");
        assert_eq!(error.to_string(), format!("`dimensions` is {wrong}, and must be 1 to 96"));
    }
}

#[test]
fn text_beyond_the_context_is_refused_or_cut() {
    let bert = embedder("bert");
    let long = "warm ".repeat(200);
    let error = embed(&bert, json!({"input": ["warm", long]})).expect_err("too long");
    assert!(matches!(error, Error::Request(RequestError::LongText { index: 1, context: 160, .. })), "{error}");
    let cut = embed(&bert, json!({"input": long, "truncate": true})).expect("embeds");
    let tokens = bert.model().tokenizer().encode_whole(&long, inglenook::text::Special::AsText);
    assert_eq!(cut, embed(&bert, json!({"input": tokens[..160]})).expect("embeds"));
}

#[test]
fn request_with_a_field_that_there_is_not_is_refused() {
    for wrong in [json!({"input": "a", "dimension": 3}), json!({"input": "a", "truncate": 1})] {
        assert!(EmbeddingRequest::from_json(&wrong.to_string()).is_err(), "{wrong}");
    }
    let error = EmbeddingRequest::from_json(r#"{"input": "a", "encoding_format": "int8"}"#).expect_err("no format");
    assert_eq!(error.to_string(), "`encoding_format` is \"int8\", and must be one of: float, base64");
    let error = embed(&embedder("bert"), json!({"input": "a", "prompt_name": "query"})).expect_err("no such prompt");
    assert!(error.to_string().contains("give `prompt`"), "{error}");
}

#[test]
fn ranking_orders_documents_by_their_scores() {
    let reranker = embedder("xlm-roberta-reranker");
    let documents = ["a warm hearth", "cold", "the quick brown fox", "x"];
    let rank = |more: Value| {
        let mut request = json!({"query": "warm", "documents": documents});
        more.as_object().expect("fields").iter().for_each(|(name, value)| request[name] = value.clone());
        let request = RankingRequest::from_json(&request.to_string()).expect("a request");
        block_on(reranker.rank(&request)).expect("ranks").results
    };
    let all = rank(json!({}));
    assert_eq!(all.len(), 4);
    assert!(all.windows(2).all(|two| two[0].score >= two[1].score && two[1].score > 0.0 && two[0].score < 1.0));
    assert_eq!(rank(json!({"top_n": 2})), all[..2]);
    for (raw, probability) in rank(json!({"raw_scores": true})).iter().zip(&all) {
        assert_eq!(raw.index, probability.index);
        assert!((1.0 / (1.0 + (-raw.score).exp()) - probability.score).abs() < 1e-6);
    }
}

#[test]
fn model_serves_its_own_purpose_alone() {
    let with = |name, purpose| block_on(load(&Device::Cpu, name, &EmbedderOptions { purpose, ..Default::default() }));
    let error = with("xlm-roberta-reranker", Purpose::Embed).expect_err("it ranks");
    assert!(matches!(error, Error::Request(RequestError::NoEmbedding)), "{error}");
    let error = with("bert", Purpose::Rank).expect_err("it embeds");
    assert!(matches!(error, Error::Request(RequestError::NoRanking)), "{error}");
}
