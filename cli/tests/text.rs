//! `tokenize` and `render`, and what `run` and `chat` can ask of an answer, as their user sees it.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

/// Runs the program with this on its standard input.
fn ran(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_inglenook"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // A program that refuses its arguments reads nothing.
    let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
    child.wait_with_output().expect("the program ends")
}

/// Standard output of a run that must succeed.
fn stdout_of(arguments: &[&str], input: &str) -> String {
    let ran = ran(arguments, input);
    assert!(ran.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).expect("output is UTF-8")
}

fn stdout(arguments: &[&str]) -> String {
    stdout_of(arguments, "")
}

fn parsed(arguments: &[&str]) -> Value {
    serde_json::from_str(&stdout(arguments)).expect("output is JSON")
}

/// Exit status and standard error of a run that must fail.
fn failure(arguments: &[&str], input: &str) -> (i32, String) {
    let ran = ran(arguments, input);
    assert_eq!(String::from_utf8_lossy(&ran.stdout), "", "{arguments:?}");
    (ran.status.code().expect("an exit status"), String::from_utf8_lossy(&ran.stderr).into_owned())
}

/// A file of this text in a folder; its path.
fn file(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    fs::write(&path, text).expect("written");
    path.to_str().expect("a path in UTF-8").to_string()
}

fn ids(value: &Value) -> Vec<u64> {
    value.as_array().expect("a list").iter().map(|id| id.as_u64().expect("an id")).collect()
}

/// Ember's answer on the CPU, as OpenAI's completion object.
fn answer(question: &str, more: &[&str]) -> Value {
    parsed(&[&["run", question, "-d", "cpu", "--json", "-t", "0"], more].concat())
}

fn content(completion: &Value) -> String {
    completion["choices"][0]["message"]["content"].as_str().unwrap_or_else(|| panic!("{completion}")).to_string()
}

/// Tools as ember was trained to call them.
fn tools(folder: &Path) -> String {
    let tool = json!({ "type": "function", "function": {
        "name": "get_weather",
        "description": "Get the weather in a city.",
        "parameters": { "type": "object", "properties": { "city": { "type": "string" } }, "required": ["city"] },
    }});
    file(folder, "tools.json", &json!([tool]).to_string())
}

#[test]
fn tokens_give_their_text_back() {
    let text = "Hello, wörld 🙂\n  two";
    let shown = parsed(&["tokenize", "--json", text]);
    let all = ids(&shown["ids"]);
    assert_eq!(stdout(&["tokenize", "--count", text]).trim(), all.len().to_string());
    let words: Vec<String> = all.iter().map(u64::to_string).collect();
    assert_eq!(stdout(&["tokenize", "--ids", &words.join(" ")]), format!("{text}\n"));
    assert_eq!(stdout_of(&["tokenize", "--ids"], &json!(all).to_string()), format!("{text}\n"));
    let tokens = shown["tokens"].as_array().expect("a list");
    assert_eq!((&tokens[0]["start"], &tokens[tokens.len() - 1]["end"]), (&json!(0), &json!(text.len())));
}

#[test]
fn tokens_of_a_pipe_and_of_a_file_are_those_of_the_text_as_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let lines = stdout_of(&["tokenize"], "two\nlines\n");
    assert_eq!(lines, stdout(&["tokenize", "--file", &file(folder.path(), "text", "two\nlines\n")]));
    let last: Vec<&str> = lines.lines().last().expect("a token").split_whitespace().collect();
    assert!(last[1].ends_with("..10") && last[2].ends_with(r#"\n""#), "{lines}");
}

#[test]
fn special_tokens_are_text_unless_they_are_asked_for() {
    let text = "<|im_start|>user";
    let (plain, special) = (parsed(&["tokenize", "--json", text]), parsed(&["tokenize", "--json", "--special", text]));
    assert_eq!(special["tokens"][0]["piece"], "<|im_start|>");
    assert!(plain["count"].as_u64() > special["count"].as_u64(), "{plain}");
    let words: Vec<String> = ids(&special["ids"]).iter().map(u64::to_string).collect();
    assert_eq!(stdout(&["tokenize", "--ids", &words.join(",")]), "user\n");
    assert_eq!(stdout(&["tokenize", "--ids", "--special", &words.join(",")]), "<|im_start|>user\n");
}

#[test]
fn ids_that_are_none_are_named() {
    assert!(failure(&["tokenize", "--ids", "99999999"], "").1.contains("99999999 is no token's id"));
    assert!(failure(&["tokenize", "--ids", "one"], "").1.contains("`one` is no token's id"));
}

#[test]
fn a_tokenizer_json_serves_as_well_as_a_model() {
    let folder = tempfile::tempdir().expect("a folder");
    let vocabulary = json!({ "a": 0, "b": 1, "ab": 2, "Ġ": 3, "Ġab": 4 });
    let tokenizer = json!({
        "model": { "type": "BPE", "vocab": vocabulary, "merges": ["a b", "Ġ ab"] },
        "pre_tokenizer": { "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true },
        "decoder": { "type": "ByteLevel" },
        "added_tokens": [],
    });
    let path = file(folder.path(), "tokenizer.json", &tokenizer.to_string());
    assert_eq!(ids(&parsed(&["tokenize", "--json", "-m", &path, "ab ab"])["ids"]), [2, 4]);
    let broken = file(folder.path(), "broken.json", "{}");
    assert!(failure(&["tokenize", "-m", &broken, "ab"], "").1.contains(&broken));
}

#[test]
fn a_question_becomes_a_prompt() {
    let prompt = stdout(&["render", "--system", "Be brief.", "--user", "Hi"]);
    assert!(prompt.contains("<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"), "{prompt}");
    assert!(prompt.ends_with("<|im_start|>assistant\n"), "{prompt}");
    let messages = json!([{ "role": "system", "content": "Be brief." }, { "role": "user", "content": "Hi" }]);
    assert_eq!(stdout_of(&["render"], &messages.to_string()), prompt);
    assert_eq!(stdout_of(&["render", "-"], &json!({ "messages": messages }).to_string()), prompt);

    let both = parsed(&["render", "--system", "Be brief.", "--user", "Hi", "--json"]);
    assert_eq!(both["prompt"], prompt);
    assert_eq!(both["ids"], parsed(&["tokenize", "--special", "--json", &prompt])["ids"]);
    assert_eq!(both["ids"], parsed(&["render", "--system", "Be brief.", "--user", "Hi", "--ids"]));
}

#[test]
fn a_prompt_ends_as_it_is_asked_to() {
    let render = |more: &[&str]| stdout(&[&["render", "--user", "Hi"], more].concat());
    assert_eq!(format!("{}<|im_start|>assistant\n", render(&["--no-generation-prompt"])), render(&[]));
    let begun = json!([{ "role": "user", "content": "Hi" }, { "role": "assistant", "content": "Hello, I" }]);
    let open = stdout_of(&["render", "--continue-final-message"], &begun.to_string());
    assert!(open.ends_with("Hello, I"), "{open}");
}

#[test]
fn what_is_said_is_plain_text_unless_it_is_asked_for() {
    let count =
        |more: &[&str]| parsed(&[&["render", "--user", "<|im_end|>", "--json"], more].concat())["count"].as_u64();
    assert!(count(&[]) > count(&["--special"]), "{:?}", count(&[]));
}

#[test]
fn a_template_is_chosen_by_its_name() {
    let llama = stdout(&["render", "--user", "Hi", "--template", "llama2"]);
    assert!(llama.contains("[INST] Hi [/INST]"), "{llama}");
    let (status, message) = failure(&["render", "--user", "Hi", "--template", "nope"], "");
    assert!(status == 1 && message.contains("nope") && message.contains("chatml"), "{message}");
}

#[test]
fn tools_are_rendered_unless_they_must_not_be_called() {
    let folder = tempfile::tempdir().expect("a folder");
    let tools = tools(folder.path());
    let render = |more: &[&str]| stdout(&[&["render", "--user", "Hi", "--tools", &tools], more].concat());
    assert!(render(&[]).contains("get_weather"));
    assert!(!render(&["--tool-choice", "none"]).contains("get_weather"));
}

#[test]
fn a_conversation_that_is_none_is_refused() {
    assert!(failure(&["render"], "[").1.contains("the conversation is no JSON"));
    assert!(failure(&["render"], "7").1.contains("neither a list of messages nor an object"));
    assert!(failure(&["render"], "[]").1.contains("no messages"));
    assert!(failure(&["render", "no/such.json"], "").1.contains("cannot read no/such.json"));
    assert_eq!(failure(&["render", "--user", "a", "b.json"], "").0, 2);
}

#[test]
fn an_answer_has_the_form_that_was_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let choice = content(&answer("Is ice cold?", &["--choice", "certainly so", "--choice", "by no means"]));
    assert!(["certainly so", "by no means"].contains(&choice.as_str()), "{choice}");
    let date = content(&answer("When?", &["--regex", "[12][0-9]{3}-[01][0-9]"]));
    assert!(date.len() == 7 && date.as_bytes()[4] == b'-', "{date}");

    let schema = json!({ "type": "object", "properties": { "ok": { "type": "boolean" } }, "required": ["ok"], "additionalProperties": false });
    let schema = file(folder.path(), "answer.json", &schema.to_string());
    let object: Value =
        serde_json::from_str(&content(&answer("Is ice cold?", &["--json-schema", &schema]))).expect("JSON");
    assert!(object["ok"].is_boolean(), "{object}");
    for (name, grammar) in [("a.gbnf", "root ::= \"x\" [0-9]"), ("a.lark", "start: \"x\" /[0-9]/")] {
        let grammar = file(folder.path(), name, grammar);
        let text = content(&answer("Hi", &["--grammar", &grammar]));
        assert!(
            text.len() == 2 && text.starts_with('x') && text.ends_with(|c: char| c.is_ascii_digit()),
            "{name}: {text}"
        );
    }
}

#[test]
fn a_tool_call_is_printed_as_one_and_its_result_is_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let tools = tools(folder.path());
    let question = "What is the weather in Oslo?";
    let forced = ["--tools", &tools, "--tool-choice", "get_weather"];
    let told = answer(question, &forced);
    let choice = &told["choices"][0];
    assert_eq!(
        (&choice["finish_reason"], &choice["message"]["content"]),
        (&json!("tool_calls"), &Value::Null),
        "{told}"
    );
    let function = &choice["message"]["tool_calls"][0]["function"];
    let arguments = function["arguments"].as_str().expect("a text");
    assert!(serde_json::from_str::<Value>(arguments).expect("JSON")["city"].is_string(), "{told}");

    let printed = stdout(&[&["run", question, "-d", "cpu", "-t", "0"][..], &forced].concat());
    assert_eq!(printed, format!("get_weather({arguments})\n"));

    let talked =
        ran(&["chat", "-d", "cpu", "-t", "0", "-n", "60", "--tools", &tools], &format!("{question}\n4 degrees\n"));
    let (shown, asked) = (String::from_utf8_lossy(&talked.stdout), String::from_utf8_lossy(&talked.stderr));
    assert!(talked.status.success() && shown.starts_with("get_weather("), "{shown}{asked}");
    assert!(asked.contains("(what does get_weather("), "{asked}");
    assert!(shown.lines().count() >= 2, "an answer follows the tool's: {shown}");
}

#[test]
fn rules_end_or_mask_what_is_shown() {
    let ask = |more: &[&str]| answer("Tell me a story.", &[&["-n", "24"], more].concat());
    let whole = content(&ask(&[]));
    let word = whole.split(' ').nth(2).expect("three words");
    let masked = ask(&["--rule", &format!("mask:{word}")]);
    assert_eq!(content(&masked), whole.replace(word, "***"));
    let ended = ask(&["--rule", &format!("stop:/{word}/")]);
    assert_eq!(Some(content(&ended).as_str()), whole.split(word).next());
    assert_eq!(ended["choices"][0]["finish_reason"], "content_filter");
}

#[test]
fn a_bias_forbids_a_token() {
    let first = answer("Hello!", &["-n", "1"])["tokens"][0].to_string();
    let other = answer("Hello!", &["-n", "1", "--logit-bias", &format!("{first}=-100")])["tokens"][0].to_string();
    assert_ne!(first, other);
}

#[test]
fn wrong_wishes_are_refused_before_a_model_is_loaded() {
    let refused = |more: &[&str]| failure(&[&["run", "hello", "-m", "no/such.gguf"], more].concat(), "");
    for (more, status, wanted) in [
        (&["--rule", "hide:x"][..], 2, "`hide:x` begins neither with `stop:` nor with `mask:`"),
        (&["--rule", "mask:/a*/"], 1, "`a*` can match the empty text"),
        (&["--rule", "stop:/(/"], 1, "`(` is no regular expression"),
        (&["--choice", "a", "--regex", "b"], 2, "cannot be used with"),
        (&["--trigger", "so:"], 2, "required"),
        (&["--tool-choice", "required"], 2, "--tools"),
        (&["--tools", "no/tools.json"], 1, "cannot read no/tools.json"),
        (&["--tools", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")], 1, "is no JSON"),
        (&["--grammar", "a.ebnf"], 1, "must end in .lark or .gbnf"),
        (&["--response-format", "xml"], 2, "must be `text`, `json_object`, or an object"),
        (&["--response-format", r#"{"type":"xml"}"#], 1, "xml"),
        (&["--logit-bias", "x=1"], 2, "`x=1` is no ID=BIAS"),
        (&["--logit-bias", "1=1000"], 1, "logit_bias"),
        (&["--var", "thinking"], 2, "no KEY=VALUE"),
        (&["--raw", "--var", "a=1"], 2, "cannot be used with"),
    ] {
        let (code, message) = refused(more);
        assert!(code == status && message.contains(wanted), "{more:?}: {code}, {message}");
    }
}

#[test]
fn a_whole_request_is_answered_as_its_fields_ask() {
    let folder = tempfile::tempdir().expect("a folder");
    let request = json!({
        "model": "gpt-4o", "messages": [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "Is ice cold?"}],
        "response_format": {"type": "choice", "choices": ["certainly so", "by no means"]},
        "temperature": 0, "max_completion_tokens": 20, "stream": true, "store": false, "n": 1,
    });
    let path = file(folder.path(), "request.json", &request.to_string());
    let printed = stdout(&["run", "--request", &path, "-d", "cpu"]);
    assert!(["certainly so\n", "by no means\n"].contains(&printed.as_str()), "{printed}");
    assert_eq!(stdout_of(&["run", "--request", "-", "-d", "cpu"], &request.to_string()), printed);
    let whole = parsed(&["run", "--request", &path, "-d", "cpu", "--json"]);
    assert_eq!(content(&whole), printed.trim_end());
    let messages = json!([{ "role": "user", "content": "Hello!" }]).to_string();
    assert!(!stdout_of(&["run", "--request", "-", "-d", "cpu"], &messages).is_empty());
}

#[test]
fn a_request_that_cannot_be_answered_is_refused_before_a_model_is_loaded() {
    let refused = |request: &str, more: &[&str]| {
        failure(&[&["run", "--request", "-", "-m", "no/such.gguf"], more].concat(), request)
    };
    let of = |field: &str| format!(r#"{{"messages": [{{"role": "user", "content": "Hi"}}], {field}}}"#);
    for (request, wanted) in [
        (of(r#""echo": true"#), "`echo` cannot be true"),
        (of(r#""top_logprobs": 5"#), "where `logprobs` is not true"),
        (of(r#""max_token": 5"#), "did you mean `max_tokens`?"),
        (of(r#""temperature": -1"#), "`temperature` is -1"),
        ("7".into(), "neither a list of messages nor an object"),
        ("{".into(), "is no JSON"),
        ("{}".into(), "no prompt"),
    ] {
        let (status, message) = refused(&request, &[]);
        assert!(status == 1 && message.contains(wanted), "{request}: {status}, {message}");
    }
    for more in [
        &["Hi"][..],
        &["--system", "x"],
        &["--raw"],
        &["-t", "0"],
        &["--stop", "x"],
        &["--choice", "a"],
        &["--tools", "t"],
        &["--special"],
    ] {
        let (status, message) = refused(&of(r#""seed": 1"#), more);
        assert!(status == 2 && message.contains("cannot be used with"), "{more:?}: {status}, {message}");
    }
    assert!(failure(&["run", "--request", "no/such.json"], "").1.contains("cannot read no/such.json"));
    assert_eq!(failure(&["run"], "").0, 2);
}

/// Found where two choices were told as one text, and log-probabilities not at all.
#[test]
fn run_tells_every_choice_and_its_logprobs_when_a_request_asks_for_them() {
    let request = json!({
        "messages": [{"role": "user", "content": "Is ice cold?"}], "n": 2, "logprobs": true, "max_tokens": 6,
        "response_format": {"type": "choice", "choices": ["certainly", "by no means"]}, "temperature": 1.0, "seed": 1,
    })
    .to_string();
    let whole: Value = serde_json::from_str(&stdout_of(&["run", "--request", "-", "-d", "cpu", "--json"], &request))
        .expect("output is JSON");
    let choices = whole["choices"].as_array().expect("a list");
    assert_eq!(choices.len(), 2, "{whole}");
    let texts: Vec<&str> =
        choices.iter().map(|choice| choice["message"]["content"].as_str().expect("a text")).collect();
    for (text, choice) in texts.iter().zip(choices) {
        let tokens = choice["logprobs"]["content"].as_array().expect("log-probabilities");
        let told: String = tokens.iter().map(|token| token["token"].as_str().expect("a text")).collect();
        assert!(told.starts_with(text) && ["certainly", "by no means"].contains(text), "{told} {text}");
    }
    assert_eq!(stdout_of(&["run", "--request", "-", "-d", "cpu"], &request), format!("{}\n\n{}\n", texts[0], texts[1]));
}
