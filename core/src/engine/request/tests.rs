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
    let format = r#"{"response_format":{"type":"json_schema","json_schema":{"name":"x","strict":true,"schema":true}}}"#;
    assert!(matches!(read(format).response_format.spec(), Some(Spec::JsonSchema { strict: true, .. })));
    let format = read(r#"{"response_format":{"type":"choice","choices":["a","b"],"trigger":"So: "}}"#).response_format;
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
    let floats = read(r#"{"seed":5.0,"max_tokens":6.0,"top_k":40.0,"local_time":7.0,"reasoning":{"max_tokens":8.0}}"#);
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
    let params = request.sampling(&recommended, (0, 0), 0);
    assert_eq!((params.temperature, params.top_k, params.top_p, params.min_p), (0.3, 7, 0.95, 0.0));
    let plain = Request::default().sampling(&Recommended::default(), (0, 0), 0);
    assert_eq!((plain.temperature, plain.top_k, plain.top_p, plain.min_p), (0.7, 40, 0.95, 0.05));
}

#[test]
fn every_number_of_the_table_has_its_field_and_its_range() {
    let numbers = |option: &&SamplingOption| matches!(option.kind, OptionKind::Number | OptionKind::Integer);
    let mut listed: Vec<&str> = Request::default().numbers().iter().map(|(name, _)| *name).collect();
    let mut known: Vec<&str> = sampling_options().iter().filter(numbers).map(|option| option.name.as_str()).collect();
    listed.sort_unstable();
    known.sort_unstable();
    assert_eq!(listed, known);
    let asked = |name: &str, value: f64| {
        let json = json!({"prompt": "a", "logprobs": true, "max_tokens": 5_000_000, name: value});
        Request::from_json(&json.to_string()).and_then(|request| request.check())
    };
    for option in sampling_options().iter().filter(numbers) {
        let (name, step) = (&option.name, if option.kind == OptionKind::Integer { 1.0 } else { 0.25 });
        for (bound, beyond) in [(option.min, -step), (option.max, step)] {
            let Some(bound) = bound else { continue };
            assert_eq!(asked(name, bound), Ok(()), "{name} {bound}");
            let told = asked(name, bound + beyond);
            let is_meant = option.meanings.contains_key(&(bound + beyond).to_string());
            assert!(is_meant || told.is_err_and(|error| error.to_string().contains(name)), "{name} beyond {bound}");
        }
    }
}

#[test]
fn options_of_sampling_that_contradict_each_other_are_refused() {
    let refused = |json: &str| Request::from_json(json).and_then(|r| r.check()).expect_err(json).to_string();
    assert!(refused(r#"{"prompt":"a","min_tokens":5,"max_tokens":4}"#).contains("`min_tokens` is 5"));
    assert!(refused(r#"{"prompt":"a","top_logprobs":5}"#).contains("`logprobs` is not true"));
    assert!(refused(r#"{"prompt":"a","logprobs":3}"#).contains("`logprobs`"));
}

#[test]
fn stop_tokens_are_held_back_as_asked() {
    let min_limit = |request: Request| request.sampling(&Recommended::default(), (10, 90), 0).min_limit;
    assert_eq!(min_limit(Request::default()), 0);
    assert_eq!(min_limit(Request { min_tokens: Some(5), ..Request::default() }), 15);
    assert_eq!(min_limit(Request { ignore_eos: Some(true), ..Request::default() }), u32::MAX);
}

#[test]
fn repetitions_end_at_tokens_with_a_breaker_in_their_text() {
    let tokenizer = crate::engine::scripted::tokenizer();
    let vocab = tokenizer.vocab_size() as u32;
    let request = Request { dry_multiplier: Some(0.8), ..Request::default() };
    let words = request.breaker_words(&tokenizer, vocab);
    for token in 0..vocab {
        let breaks = tokenizer.token_bytes(token).iter().any(|byte| b"\n:\"*".contains(byte));
        assert_eq!(words[token as usize / 32] >> (token % 32) & 1 == 1, breaks, "{token}");
    }
    let long = Request { dry_sequence_breakers: Some(Stop::One("never in one token".into())), ..request };
    assert_eq!(long.breaker_words(&tokenizer, vocab).iter().map(|word| word.count_ones()).sum::<u32>(), 1);
    assert!(Request::default().breaker_words(&tokenizer, vocab).iter().all(|word| *word == 0));
}

#[test]
fn a_temperature_that_is_no_number_is_refused() {
    let request = Request { prompt: Some("a".into()), temperature: Some(f32::NAN), ..Request::default() };
    assert!(request.check().is_err());
}
