//! What a caller asks for, in OpenAI's words, and the checks it has to pass.

mod error;
mod fields;
mod options;
mod spellings;

use std::fmt;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Number, Value, json};

use crate::kernels::sampling::SamplingParams;
use inglenook_text::rules::{RuleSpec, Segment};

pub use error::RequestError;
pub use options::{Effort, FormatKind, NamedSchema, Reasoning, ResponseFormat, Stop, ToolChoice};

/// The longest request that is read, in bytes: many times what any context holds.
pub const MAX_JSON: usize = 64 << 20;

/// A request for a completion. Fields and defaults are OpenAI's, with those of local engines beside them. What else
/// [`Request::from_json`] takes, and what it refuses, is in `fields.json`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Request {
    /// The conversation: objects with `role` and `content`.
    pub messages: Vec<Value>,
    /// Plain text to be continued, instead of a conversation.
    pub prompt: Option<String>,
    /// Tools on offer, as OpenAI's objects; rendered by the model's template.
    pub tools: Option<Vec<Value>>,
    /// Whether tools may, must or must not be called.
    pub tool_choice: ToolChoice,
    /// Whether several tools may be called at once, where a call is forced; by default they may.
    pub parallel_tool_calls: Option<bool>,
    /// How the model writes calls, where its template does not tell: a name of [`Dialect`](inglenook_text::output::Dialect).
    pub tool_dialect: Option<String>,
    /// How the model marks its thoughts, where its template does not tell: a name of
    /// [`ReasoningFormat`](inglenook_text::output::ReasoningFormat).
    pub reasoning_format: Option<String>,
    /// How much the model may think.
    pub reasoning: Reasoning,
    /// The form that the answer must have.
    pub response_format: ResponseFormat,
    /// Whether names of special tokens in messages and prompts are these tokens; by default what users wrote is text.
    pub parse_special: bool,
    /// Documents to answer from, for templates that know them.
    pub documents: Option<Vec<Value>>,
    /// Which of the file's templates, or which built-in one, renders the conversation.
    pub chat_template: Option<String>,
    /// Whether the prompt ends with the beginning of the assistant's turn; by default it does.
    pub add_generation_prompt: Option<bool>,
    /// Whether the answer continues the last message instead of following it.
    pub continue_final_message: bool,
    /// Further variables for the template, such as `enable_thinking`.
    pub chat_template_kwargs: Option<Map<String, Value>>,
    /// Tokens to generate at most; by default until the context is full.
    pub max_tokens: Option<u32>,
    /// 0 for the most likely token always. By default what the model's file recommends, else [`Recommended::USUAL`]; so
    /// for the next three.
    pub temperature: Option<f32>,
    /// Keeps the k most likely tokens.
    pub top_k: Option<u32>,
    /// Keeps the most likely tokens that together reach this probability.
    pub top_p: Option<f32>,
    /// Keeps tokens at least this times as likely as the most likely.
    pub min_p: Option<f32>,
    /// Divides logits of tokens seen before.
    pub repetition_penalty: Option<f32>,
    /// Subtracted for each time that a token was generated.
    pub frequency_penalty: Option<f32>,
    /// Subtracted once a token was generated.
    pub presence_penalty: Option<f32>,
    /// Added to a token's logit: token id → -100 to 100.
    pub logit_bias: Option<Map<String, Value>>,
    /// The same seed and request give the same answer. By default each answer has its own. Negative ones are taken by their bits.
    #[serde(deserialize_with = "seed")]
    pub seed: Option<u64>,
    /// Whether the caller takes the answer piece by piece. It always comes so; what is made of the pieces is the caller's to say.
    pub stream: bool,
    /// What the caller wants beside the pieces, such as the usage, which is always given.
    pub stream_options: Map<String, Value>,
    /// Texts at which the answer ends, and which are not part of it.
    pub stop: Stop,
    /// What ends or masks the answer where it would appear.
    pub content_rules: Vec<RuleSpec>,
    /// Text comes in whole words, sentences or lines, so that each can be judged before it is shown.
    pub segment: Option<Segment>,
    /// Seconds since 1970 of the caller's local clock, for templates that ask for the time.
    pub local_time: Option<i64>,
}

/// Sampling that a model's file recommends (`general.sampling.*`).
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize)]
pub struct Recommended {
    /// Temperature.
    pub temperature: Option<f32>,
    /// Top-k.
    pub top_k: Option<u32>,
    /// Top-p.
    pub top_p: Option<f32>,
    /// Min-p.
    pub min_p: Option<f32>,
}

impl Recommended {
    /// What users know from other engines, for what neither the caller nor the model's file says.
    pub const USUAL: Recommended =
        Recommended { temperature: Some(0.7), top_k: Some(40), top_p: Some(0.95), min_p: Some(0.05) };

    /// The same with `other`'s settings for those that are missing.
    pub fn or(self, other: Recommended) -> Recommended {
        Recommended {
            temperature: self.temperature.or(other.temperature),
            top_k: self.top_k.or(other.top_k),
            top_p: self.top_p.or(other.top_p),
            min_p: self.min_p.or(other.min_p),
        }
    }
}

impl Request {
    /// Reads a request from JSON.
    ///
    /// # Errors
    /// [`RequestError::TooLarge`]; [`RequestError::Form`], which names the field that cannot be read; those of fields that do not
    /// exist, or ask for what cannot be done.
    pub fn from_json(json: &str) -> Result<Request, RequestError> {
        if json.len() > MAX_JSON {
            return Err(RequestError::TooLarge(json.len()));
        }
        let Fields(mut fields) = serde_json::from_str(json).map_err(|error| RequestError::Form(error.to_string()))?;
        fields::check(&mut fields)?;
        spellings::normalise(&mut fields)?;
        let fields = Value::Object(fields);
        Request::deserialize(&fields)
            .map_err(|error| RequestError::Form(wrong_field(&fields).unwrap_or_else(|| error.to_string())))
    }

    /// Checks everything that can be checked without a model.
    ///
    /// # Errors
    /// [`RequestError`].
    pub fn check(&self) -> Result<(), RequestError> {
        match (&self.prompt, self.messages.is_empty()) {
            (Some(_), false) => return Err(RequestError::TwoPrompts),
            (None, true) => return Err(RequestError::Empty),
            (Some(prompt), true) if prompt.is_empty() => return Err(RequestError::Empty),
            _ => {}
        }
        range("temperature", self.temperature, 0.0..=100.0, "between 0 and 100")?;
        range("top_p", self.top_p, 0.0..=1.0, "between 0 and 1")?;
        range("min_p", self.min_p, 0.0..=1.0, "between 0 and 1")?;
        range("repetition_penalty", self.repetition_penalty, 0.01..=100.0, "between 0.01 and 100")?;
        range("frequency_penalty", self.frequency_penalty, -100.0..=100.0, "between -100 and 100")?;
        range("presence_penalty", self.presence_penalty, -100.0..=100.0, "between -100 and 100")?;
        if self.max_tokens == Some(0) {
            return Err(RequestError::Range { name: "max_tokens", found: "0".into(), wanted: "at least 1" });
        }
        if let (Some(enabled), Some(effort)) = (self.reasoning.enabled, self.reasoning.effort)
            && enabled == (effort == Effort::None)
        {
            let wanted = if enabled {
                "more than \"none\" where `reasoning.enabled` is true"
            } else {
                "\"none\" where `reasoning.enabled` is false"
            };
            return Err(RequestError::Range {
                name: "reasoning.effort",
                found: json!(effort.word()).to_string(),
                wanted,
            });
        }
        let variables = self.chat_template_kwargs.iter().flat_map(Map::keys);
        if let Some(name) = variables.into_iter().find(|name| OWN_VARIABLES.contains(&name.as_str())) {
            return Err(RequestError::OwnVariable(name.clone()));
        }
        self.bias().map(|_| ())
    }

    /// Whether the answer is held to a grammar.
    pub fn needs_grammar(&self) -> bool {
        let must_call = matches!(self.tool_choice, ToolChoice::Required | ToolChoice::Named(_));
        self.response_format.spec().is_some() || must_call || self.strict_tools()
    }

    /// Whether a tool is offered whose calls must keep its schema.
    pub fn strict_tools(&self) -> bool {
        let tools = self.offered_tools().into_iter().flatten();
        tools.into_iter().any(|tool| tool["function"]["strict"] == Value::Bool(true))
    }

    /// The tools that the model may call.
    pub fn offered_tools(&self) -> Option<&[Value]> {
        self.tools.as_deref().filter(|tools| self.tool_choice != ToolChoice::None && !tools.is_empty())
    }

    /// The logit biases as numbers.
    ///
    /// # Errors
    /// [`RequestError::Range`] for a key that is no token id or a bias that is no number in range.
    pub fn bias(&self) -> Result<Vec<(u32, f32)>, RequestError> {
        let wrong = |found: String| RequestError::Range {
            name: "logit_bias",
            found,
            wanted: "an object of token ids with biases between -100 and 100",
        };
        let entries = self.logit_bias.iter().flatten();
        entries
            .map(|(token, bias)| {
                let id = token.parse().map_err(|_| wrong(format!("{token:?}")))?;
                let bias = bias.as_f64().filter(|bias| bias.abs() <= 100.0).ok_or_else(|| wrong(bias.to_string()))?;
                Ok((id, bias as f32))
            })
            .collect()
    }

    /// Parameters for the sampler; `limit` is the position at which generation must end.
    pub fn sampling(&self, recommended: &Recommended, limit: u32, seed: u64) -> SamplingParams {
        let plain = SamplingParams::GREEDY;
        let own =
            Recommended { temperature: self.temperature, top_k: self.top_k, top_p: self.top_p, min_p: self.min_p };
        let wanted = own.or(*recommended).or(Recommended::USUAL);
        SamplingParams {
            temperature: wanted.temperature.unwrap_or(plain.temperature),
            top_k: wanted.top_k.unwrap_or(plain.top_k),
            top_p: wanted.top_p.unwrap_or(plain.top_p),
            min_p: wanted.min_p.unwrap_or(plain.min_p),
            repetition_penalty: self.repetition_penalty.unwrap_or(plain.repetition_penalty),
            frequency_penalty: self.frequency_penalty.unwrap_or(plain.frequency_penalty),
            presence_penalty: self.presence_penalty.unwrap_or(plain.presence_penalty),
            limit,
            ..plain.seeded(self.seed.unwrap_or(seed))
        }
    }
}

/// Variables of a template that are made of fields of the request.
const OWN_VARIABLES: [&str; 3] = ["messages", "tools", "documents"];

/// A request's fields as they are written, each of them once.
struct Fields(Map<String, Value>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Fields, D::Error> {
        struct Each;

        impl<'de> Visitor<'de> for Each {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with `messages` or a `prompt`")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Map::new();
                while let Some(name) = map.next_key::<String>()? {
                    if fields.contains_key(&name) {
                        return Err(A::Error::custom(format_args!("duplicate field `{name}`")));
                    }
                    let value = map.next_value()?;
                    fields.insert(name, value);
                }
                Ok(Fields(fields))
            }
        }

        deserializer.deserialize_map(Each)
    }
}

/// Which field of a request cannot be read, and why.
fn wrong_field(fields: &Value) -> Option<String> {
    fields.as_object()?.iter().find_map(|(name, value)| {
        let alone = Value::Object(Map::from_iter([(name.clone(), value.clone())]));
        let error = Request::deserialize(&alone).err()?;
        Some(format!("`{name}`: {error}"))
    })
}

/// OpenAI's seeds may be negative; ours have no sign.
fn seed<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let given: Option<Number> = Option::deserialize(deserializer)?;
    let whole = |number: Number| number.as_u64().or_else(|| number.as_i64().map(i64::cast_unsigned));
    given.map(|number| whole(number).ok_or_else(|| D::Error::custom("a seed is a whole number of 64 bits"))).transpose()
}

fn range(
    name: &'static str,
    value: Option<f32>,
    allowed: std::ops::RangeInclusive<f32>,
    wanted: &'static str,
) -> Result<(), RequestError> {
    match value {
        // A NaN is in no range.
        Some(value) if !allowed.contains(&value) => Err(RequestError::Range { name, found: value.to_string(), wanted }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use inglenook_grammar::Spec;

    use super::*;

    #[test]
    fn openai_requests_are_read() {
        let json =
            r#"{"messages":[{"role":"user","content":"hi"}],"max_completion_tokens":5,"stop":["a",""],"stream":true}"#;
        let request = Request::from_json(json).expect("reads");
        assert_eq!(request.max_tokens, Some(5));
        assert_eq!(request.stop.strings(), ["a"]);
        assert_eq!(request.check(), Ok(()));
    }

    #[test]
    fn null_is_the_default_of_what_may_be_left_out() {
        let json =
            r#"{"messages":[{}],"tool_choice":null,"reasoning":null,"response_format":null,"stop":null,"tools":null}"#;
        let request = Request::from_json(json).expect("reads");
        assert_eq!(request.tool_choice, ToolChoice::Auto);
        assert!(request.response_format.spec().is_none());
    }

    #[test]
    fn tool_choices_and_formats_are_read_in_openais_forms() {
        let read = |json: &str| Request::from_json(json).expect(json);
        assert_eq!(read(r#"{"tool_choice":"required"}"#).tool_choice, ToolChoice::Required);
        let named = read(r#"{"tool_choice":{"type":"function","function":{"name":"now"}}}"#);
        assert_eq!(named.tool_choice, ToolChoice::Named("now".into()));
        let format =
            r#"{"response_format":{"type":"json_schema","json_schema":{"name":"x","strict":true,"schema":true}}}"#;
        assert!(matches!(read(format).response_format.spec(), Some(Spec::JsonSchema { strict: true, .. })));
        let format =
            read(r#"{"response_format":{"type":"choice","choices":["a","b"],"trigger":"So: "}}"#).response_format;
        assert_eq!(format.trigger.as_deref(), Some("So: "));
        for refused in [r#"{"tool_choice":"some"}"#, r#"{"response_format":{"type":"xml"}}"#] {
            assert!(Request::from_json(refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn bad_requests_are_named() {
        let refused = |json: &str| Request::from_json(json).and_then(|r| r.check()).expect_err(json).to_string();
        assert!(refused("{}").contains("no prompt"));
        assert!(refused(r#"{"prompt":""}"#).contains("no prompt"));
        assert!(refused(r#"{"prompt":"a","messages":[{}]}"#).contains("both"));
        assert!(refused(r#"{"prompt":"a","temperature":-1}"#).contains("temperature"));
        assert!(refused(r#"{"prompt":"a","top_p":1.5}"#).contains("top_p"));
        assert!(refused(r#"{"prompt":"a","max_tokens":0}"#).contains("max_tokens"));
        let contradictory = r#"{"prompt":"a","reasoning":{"enabled":true},"reasoning_effort":"none"}"#;
        assert!(refused(contradictory).contains("`reasoning.effort`"));
        assert!(refused(r#"{"prompt":"a","chat_template_kwargs":{"tools":[]}}"#).contains("`tools`"));
        assert!(refused(r#"{"prompt":"a","logit_bias":{"x":1}}"#).contains("logit_bias"));
        assert!(refused(r#"{"prompt":"a","logit_bias":{"1":1000}}"#).contains("logit_bias"));
    }

    #[test]
    fn a_field_that_cannot_be_read_is_named() {
        let refused = |json: &str| Request::from_json(json).expect_err(json).to_string();
        assert!(refused(r#"{"prompt":"a","max_tokens":-3}"#).contains("`max_tokens`: invalid value"));
        assert!(refused(r#"{"messages":[],"stop":5}"#).ends_with("`stop`: expected a string or a list of strings"));
        assert!(refused(r#"{"prompt":"a","seed":1.5}"#).contains("`seed`"));
        assert!(refused(r#"{"prompt":"a""#).contains("line 1 column 13"));
        assert!(refused("[5]").contains("cannot be read"));
        assert_eq!(refused(&" ".repeat(MAX_JSON + 1)), RequestError::TooLarge(MAX_JSON + 1).to_string());
    }

    #[test]
    fn an_effort_says_whether_the_model_thinks() {
        let read = |effort: &str| {
            let json = format!(r#"{{"prompt":"a","reasoning_effort":"{effort}"}}"#);
            Request::from_json(&json).map(|request| request.reasoning)
        };
        assert_eq!(read("none").unwrap().enabled(), Some(false));
        assert_eq!(read("none").unwrap().budget(), Some(0));
        assert_eq!(read("low").unwrap().enabled(), Some(true));
        assert!(read("much").unwrap_err().to_string().contains("`reasoning_effort`: unknown variant `much`"));
    }

    #[test]
    fn a_schema_beside_the_kind_of_format_is_kept() {
        let read = |format: &str| Request::from_json(&format!(r#"{{"response_format":{format}}}"#));
        let llama = read(r#"{"type":"json_object","schema":{"type":"array"}}"#).unwrap();
        assert!(matches!(llama.response_format.spec(), Some(Spec::JsonSchema { strict: false, .. })));
        for other in [
            r#"{"type":"json_object","regex":"a"}"#,
            r#"{"type":"text","schema":{}}"#,
            r#"{"type":"regex","regex":"a","choices":[]}"#,
        ] {
            let told = read(other).unwrap_err().to_string();
            assert!(told.contains("unknown field `response_format."), "{other}: {told}");
        }
    }

    #[test]
    fn seeds_have_64_bits_with_a_sign_or_without() {
        let read = |seed: &str| Request::from_json(&format!(r#"{{"seed":{seed}}}"#)).expect(seed).seed;
        assert_eq!(read("18446744073709551615"), Some(u64::MAX));
        assert_eq!(read("-1"), Some(u64::MAX));
        assert_eq!((read("7"), read("null")), (Some(7), None));
    }

    #[test]
    fn whole_numbers_are_read_however_they_are_written() {
        let read = |json: &str| Request::from_json(json).expect(json);
        let floats =
            read(r#"{"seed":5.0,"max_tokens":6.0,"top_k":40.0,"local_time":7.0,"reasoning":{"max_tokens":8.0}}"#);
        assert_eq!((floats.seed, floats.max_tokens, floats.top_k), (Some(5), Some(6), Some(40)));
        assert_eq!((floats.local_time, floats.reasoning.budget_tokens), (Some(7), Some(8)));
        for refused in [r#"{"seed":5.5}"#, r#"{"top_k":1e300}"#, r#"{"max_tokens":"5"}"#, r#"{"top_k":-2}"#] {
            assert!(Request::from_json(refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn minus_one_is_no_limit_as_in_local_servers() {
        for name in ["max_tokens", "max_completion_tokens", "n_predict"] {
            for value in ["-1", "-1.0"] {
                let request = Request::from_json(&format!(r#"{{"{name}":{value},"top_k":{value}}}"#)).expect(name);
                assert_eq!((request.max_tokens, request.top_k), (None, Some(0)), "{name} {value}");
            }
        }
    }

    #[test]
    fn sampling_is_as_asked_else_as_recommended_else_the_usual() {
        let request = Request { top_k: Some(7), min_p: Some(0.0), ..Request::default() };
        let recommended = Recommended { temperature: Some(0.3), top_k: Some(9), ..Recommended::default() };
        let params = request.sampling(&recommended, 0, 0);
        assert_eq!((params.temperature, params.top_k, params.top_p, params.min_p), (0.3, 7, 0.95, 0.0));
        let plain = Request::default().sampling(&Recommended::default(), 0, 0);
        assert_eq!((plain.temperature, plain.top_k, plain.top_p, plain.min_p), (0.7, 40, 0.95, 0.05));
    }

    #[test]
    fn a_temperature_that_is_no_number_is_refused() {
        let request = Request { prompt: Some("a".into()), temperature: Some(f32::NAN), ..Request::default() };
        assert!(request.check().is_err());
    }
}
