//! The program as its user sees it: what it prints, where, and how it exits.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn inglenook(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_inglenook"));
    command.args(arguments).stdin(Stdio::null());
    command
}

fn output(arguments: &[&str]) -> Output {
    inglenook(arguments).output().expect("the program starts")
}

/// Standard output of a run that must succeed.
fn stdout(arguments: &[&str]) -> String {
    let output = output(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("output is UTF-8")
}

fn json(arguments: &[&str]) -> Value {
    serde_json::from_str(&stdout(arguments)).expect("output is JSON")
}

/// Exit status and standard error of a run that must fail, and that must print nothing on standard output.
fn failure(arguments: &[&str]) -> (i32, String) {
    let output = output(arguments);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "", "{arguments:?}");
    (output.status.code().expect("an exit status"), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn with_input(arguments: &[&str], input: &str) -> Output {
    let mut child = inglenook(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("the program reads");
    child.wait_with_output().expect("the program ends")
}

/// The text of an answer in OpenAI's form.
fn content(completion: &Value) -> String {
    completion["choices"][0]["message"]["content"]
        .as_str()
        .unwrap_or_else(|| panic!("a text in {completion}"))
        .to_string()
}

fn golden(name: &str) -> String {
    format!("{}/../tests/goldens/models/{name}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn help_names_every_command_but_the_hidden_ones() {
    let help = stdout(&["--help"]);
    for command in [
        "chat",
        "run",
        "embed",
        "rerank",
        "tokenize",
        "render",
        "inspect",
        "devices",
        "bench",
        "evaluate",
        "perplexity",
        "compare",
        "imatrix",
    ] {
        assert!(help.contains(&format!("\n  {command} ")), "{help}");
        assert!(stdout(&[command, "--help"]).contains("Usage: "), "{command}");
    }
    assert!(!help.contains("synth") && !help.contains("gpu-check"));
}

#[test]
fn wrong_usage_is_2_and_failure_is_1() {
    assert_eq!(failure(&["rnu"]).0, 2);
    assert_eq!(failure(&["run"]).0, 2);
    assert_eq!(failure(&["run", "--max-tokens", "0", "hello"]).0, 2);
    assert_eq!(failure(&["run", ""]).0, 1);
}

#[test]
fn what_is_wrong_with_a_file_is_said_with_its_name() {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    for arguments in [vec!["inspect", manifest], vec!["run", "hello", "-d", "cpu", "-m", manifest]] {
        let (status, message) = failure(&arguments);
        assert_eq!(status, 1);
        assert!(message.contains(manifest) && message.contains("not a GGUF file"), "{message}");
        assert_eq!(message.trim().lines().count(), 1, "{message}");
    }
    let (status, message) = failure(&["inspect", "no/such/file.gguf"]);
    assert_eq!(status, 1);
    assert!(message.contains("cannot open no/such/file.gguf"), "{message}");
    assert!(failure(&["inspect", env!("CARGO_MANIFEST_DIR")]).1.contains("is a folder"));
}

#[test]
fn a_parameter_out_of_range_is_named_before_anything_is_loaded() {
    let (status, message) = failure(&["run", "hello", "--temperature", "-1", "--model", "no/such/file.gguf"]);
    assert_eq!(status, 1);
    assert!(message.contains("`temperature` is -1"), "{message}");
}

#[test]
fn inspect_shows_metadata_tensors_and_totals() {
    let shown = json(&["inspect", "--json", &golden("qwen3.gguf")]);
    assert_eq!(shown["metadata"]["general.architecture"], "qwen3");
    let tensors = shown["tensors"].as_array().expect("a list");
    let embedding = tensors.iter().find(|tensor| tensor["name"] == "token_embd.weight").expect("an embedding");
    assert_eq!(embedding["shape"][0], shown["metadata"]["qwen3.embedding_length"]);
    let sum = |list: &Value| list.as_array().unwrap().iter().map(|item| item["bytes"].as_u64().unwrap()).sum::<u64>();
    assert_eq!(sum(&shown["types"]), sum(&shown["tensors"]));

    let text = stdout(&["inspect", &golden("qwen3.gguf")]);
    assert!(text.contains("general.architecture") && text.contains("token_embd.weight"), "{text}");
}

#[test]
fn inspect_cuts_long_arrays_unless_told_not_to() {
    let tokens = |shown: &Value| shown["metadata"]["tokenizer.ggml.tokens"].clone();
    let cut = tokens(&json(&["inspect", "--json"]));
    assert_eq!(cut["first"].as_array().map(Vec::len), Some(8));
    let whole = tokens(&json(&["inspect", "--json", "--full"]));
    assert_eq!(whole.as_array().map(|tokens| tokens.len() as u64), cut["length"].as_u64());
}

#[test]
fn devices_name_the_one_that_answers() {
    let devices = json(&["devices", "--json"]);
    let is_listed = devices["adapters"].as_array().expect("a list").contains(&devices["used"]);
    assert_eq!(devices["cpu"].as_bool(), Some(!is_listed), "{devices}");
}

#[test]
fn auto_runs_on_no_software_adapter_and_says_why() {
    let devices = json(&["devices", "--json"]);
    assert!(devices["cpu"] == true || devices["used"]["software"] == false, "{devices}");
    let ran = json(&["run", "hello", "-n", "1", "--json"]);
    assert_eq!(ran["adapter"], devices["used"]["name"]);
    let reason = devices["reason"].as_str().expect("a reason");
    assert_eq!(ran["adapter_reason"], reason);
    for arguments in [vec!["devices"], vec!["run", "hello", "-n", "1", "--verbose"]] {
        let Output { stdout, stderr, .. } = output(&arguments);
        let said = [stdout, stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
        assert!(said.contains(reason), "{said}");
    }
}

#[test]
fn gpu_check_names_every_stage_that_its_budget_leaves_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let table = folder.path().join("table.csv");
    stdout(&["gpu-check", "--budget", "0", "--out", &table.to_string_lossy()]);
    let table = std::fs::read_to_string(table).expect("a table");
    for stage in ["about,adapter,ok", "copy,,skipped", "answers,ember,skipped", "answers,smollm2,skipped", "kernels,"] {
        assert!(table.lines().any(|row| row.starts_with(stage)), "{stage}: {table}");
    }
    for model in ["42m", "0.5b", "4b", "8b"] {
        assert!(table.lines().any(|row| row.starts_with(&format!("speed,{model},skipped"))), "{model}: {table}");
    }
}

#[test]
fn standard_error_stays_empty_when_there_is_no_window_system() {
    for arguments in [vec!["devices"], vec!["run", "hello", "-n", "1"], vec!["run", "hello", "-n", "1", "-d", "gpu"]] {
        let mut command = inglenook(&arguments);
        for variable in ["XDG_RUNTIME_DIR", "WAYLAND_DISPLAY", "DISPLAY"] {
            command.env_remove(variable);
        }
        let Output { status, stderr, .. } = command.output().expect("the program starts");
        let stderr = String::from_utf8_lossy(&stderr);
        assert!(!status.success() || stderr.is_empty(), "{arguments:?}: {stderr}");
        assert!(!stderr.contains("XDG_RUNTIME_DIR"), "{arguments:?}: {stderr}");
    }
}

#[test]
fn gpu_and_cpu_give_the_same_greedy_tokens() {
    let run = |device: &str| {
        let question = "What is the opposite of hot?";
        json(&["run", question, "--temperature", "0", "--json", "--kv-type", "f32", "--device", device])
    };
    let (gpu, cpu) = (run("gpu"), run("cpu"));
    assert_eq!(gpu["tokens"], cpu["tokens"]);
    assert_ne!(gpu["adapter"], cpu["adapter"]);
    assert_eq!(cpu["object"], "chat.completion");
    assert_eq!(cpu["choices"][0]["finish_reason"], "stop", "{cpu}");
    assert!(content(&cpu).len() > 2, "{cpu}");
    let usage = |key: &str| cpu["usage"][key].as_u64().unwrap_or_else(|| panic!("{key} in {cpu}"));
    assert_eq!(usage("total_tokens"), usage("prompt_tokens") + usage("completion_tokens"));
}

#[test]
fn an_answer_is_all_that_standard_output_gets() {
    let arguments = ["run", "-", "-t", "0", "-n", "12", "-d", "cpu", "--verbose"];
    let ran = with_input(&arguments, "Hello!");
    let told = json(&["run", "Hello!", "-t", "0", "-n", "12", "-d", "cpu", "--json"]);
    assert_eq!(String::from_utf8_lossy(&ran.stdout).trim_end_matches('\n'), content(&told).trim_end_matches('\n'));
    assert!(String::from_utf8_lossy(&ran.stderr).contains("tok/s"));
}

#[test]
fn a_stop_text_ends_the_answer_and_is_no_part_of_it() {
    let ask = |stop: &[&str]| {
        let arguments = [&["run", "Tell me a story.", "-t", "0", "-n", "24", "-d", "cpu", "--json"], stop];
        content(&json(&arguments.concat()))
    };
    let whole = ask(&[]);
    let stop: String = whole.chars().skip(5).take(4).collect();
    assert_eq!(stop.len(), 4, "an answer long enough to be cut: {whole}");
    let cut = ask(&["--stop", &stop]);
    assert_eq!(whole.split(&stop).next(), Some(cut.as_str()));
}

#[test]
fn the_same_seed_gives_the_same_answer() {
    let ask =
        |seed: &str| json(&["run", "Tell me a story.", "-t", "1.5", "-n", "24", "-d", "cpu", "--json", "--seed", seed]);
    let (one, again, other) = (ask("7"), ask("7"), ask("8"));
    assert_eq!(one["tokens"], again["tokens"]);
    assert_ne!(one["tokens"], other["tokens"]);
}

#[test]
fn chat_answers_lines_and_obeys_commands_when_piped() {
    let ran = with_input(
        &["chat", "-t", "0", "-n", "8", "-d", "cpu"],
        "Hello!\n\n/nope\n/system Be brief.\n/system\nHello!\n/exit\nnever\n",
    );
    assert!(ran.status.success());
    let answers = String::from_utf8_lossy(&ran.stdout);
    assert!(answers.lines().filter(|line| !line.is_empty()).count() >= 2, "{answers}");
    assert!(!answers.contains("> "), "no prompt where nobody types: {answers}");
    let told = String::from_utf8_lossy(&ran.stderr);
    assert!(told.contains("no /nope") && told.contains("\nBe brief.\n"), "{told}");
}

#[test]
fn a_second_turn_reuses_the_cache_of_the_first() {
    let ran = with_input(&["chat", "-t", "0", "-n", "8", "-d", "cpu", "--verbose"], "Hello!\nWhat is your name?\n");
    let told = String::from_utf8_lossy(&ran.stderr);
    let cached = cached(&told);
    assert_eq!(cached.len(), 2, "{told}");
    assert!(cached[0] == 0 && cached[1] > 8, "{cached:?}");
}

/// The counts of cached tokens that a conversation tells with `--verbose`.
fn cached(told: &str) -> Vec<u32> {
    let cached = told.lines().filter_map(|line| line.split_once("tokens (")?.1.split_once(" cached"));
    cached.map(|(count, _)| count.parse().expect("a number")).collect()
}

#[test]
fn chat_session_goes_on_where_it_was_left() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("talk.inglenook");
    let chat = ["chat", "-t", "0", "-n", "8", "-d", "cpu", "--verbose"];
    let in_session = [&chat[..], &["--session", file.to_str().expect("UTF-8")]].concat();
    let whole = with_input(&chat, "Hello!\nWhat is your name?\n");
    let first = with_input(&in_session, "Hello!\n/save\n");
    assert!(first.status.success(), "{}", String::from_utf8_lossy(&first.stderr));
    let second = with_input(&in_session, "What is your name?\n");
    let told = String::from_utf8_lossy(&second.stderr);
    assert!(second.status.success() && told.contains("2 messages"), "{told}");
    assert_eq!([first.stdout, second.stdout].concat(), whole.stdout);
    assert_eq!(cached(&told), cached(&String::from_utf8_lossy(&whole.stderr))[1..], "as if it had never ended");
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1, "no other file is left behind");
}

/// Another process finds what the first has computed, and says when something of it is damaged.
#[test]
fn page_store_spares_a_later_process_the_prompt() {
    let folder = tempfile::tempdir().expect("a folder");
    let pages = folder.path().join("pages");
    let question = "The fire was low and the old dog slept beside it. ".repeat(8);
    let run = || {
        let store = ["--page-store", pages.to_str().expect("UTF-8")];
        let output = output(&[&["run", &question, "-t", "0", "-n", "8", "-d", "cpu", "--json"][..], &store].concat());
        let completion: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let cached = completion["usage"]["prompt_tokens_details"]["cached_tokens"].as_u64().expect("a number");
        let prompt = completion["usage"]["prompt_tokens"].as_u64().expect("a number");
        (content(&completion), cached, (prompt - 1) / 32 * 32, String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (first, cached, pages_of_prompt, _) = run();
    assert!(cached == 0 && pages_of_prompt > 64);
    let (again, cached, _, told) = run();
    assert_eq!((again, cached, told.as_str()), (first.clone(), pages_of_prompt, ""));
    for page in std::fs::read_dir(&pages).expect("a folder") {
        std::fs::write(page.expect("a file").path(), "nothing").expect("writes");
    }
    let (again, cached, _, told) = run();
    assert_eq!((again, cached), (first, 0));
    assert!(told.contains("not used: 1"), "{told}");
    let file = folder.path().join("notes.txt");
    std::fs::write(&file, "mine").expect("writes");
    let (status, told) = failure(&["run", "Hello!", "-d", "cpu", "--page-store", file.to_str().expect("UTF-8")]);
    assert!(status == 1 && told.contains("cannot keep pages in"), "{told}");
}

#[test]
fn chat_session_refuses_a_file_that_is_none_and_leaves_it_as_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("notes.txt");
    let path = file.to_str().expect("UTF-8");
    let good = folder.path().join("good.inglenook");
    let good = good.to_str().expect("UTF-8");
    with_input(&["chat", "-t", "0", "-n", "4", "-d", "cpu", "--session", good], "Hello!\n");
    let saved = std::fs::read(good).expect("saved");
    let damaged = [&saved[..saved.len() / 2], b"x", &saved[saved.len() / 2 + 1..]].concat();
    for (content, says) in [
        (b"Buy milk.".to_vec(), "not a saved session"),
        (saved[..saved.len() - 9].to_vec(), "ends within"),
        (damaged, "damaged in"),
        (Vec::new(), "ends within"),
    ] {
        std::fs::write(&file, &content).expect("written");
        let (status, told) = failure(&["chat", "-d", "cpu", "--session", path]);
        assert!(status == 1 && told.contains(says) && told.contains("left as it is"), "{status}: {told}");
        assert_eq!(std::fs::read(&file).expect("there"), content);
    }
    let (_, told) = failure(&["chat", "-d", "cpu", "--kv-type", "q8_0", "--session", good]);
    assert!(told.contains("keys and values as"), "{told}");
}

#[test]
fn evaluate_counts_what_is_as_expected() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("prompts.json");
    let ask = |category: &str, expect: Value| serde_json::json!({ "category": category, "messages": [{ "role": "user", "content": "Hello!" }], "expect": expect });
    let answer = content(&json(&["run", "Hello!", "-t", "0", "-n", "16", "-d", "cpu", "--json"]));
    let right = serde_json::json!({ "equals": answer.trim() });
    let wrong = serde_json::json!({ "contains": "xylophone" });
    let suite =
        serde_json::json!({ "max_tokens": 16, "cases": [ask("a", right), ask("a", wrong.clone()), ask("b", wrong)] });
    std::fs::write(&file, suite.to_string()).expect("written");
    let scores = json(&["evaluate", file.to_str().unwrap(), "--json", "-d", "cpu"]);
    assert_eq!(scores["categories"]["a"], serde_json::json!({ "passed": 1, "cases": 2, "percent": 50.0 }));
    assert_eq!(scores["categories"]["b"]["passed"], 0);
}

/// Its cases hold calls and their results, which the engine takes in OpenAI's form alone.
#[test]
fn the_built_in_model_is_scored_on_its_own_prompts() {
    let suite = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/ember/eval.json");
    let scores = json(&["evaluate", suite, "--each", "1", "--json", "-d", "cpu"]);
    for category in ["addition", "tools", "tool_answer", "no_tool"] {
        assert_eq!(scores["categories"][category]["passed"], 1, "{category}: {scores}");
    }
}

#[test]
fn perplexity_of_a_text_is_told_with_its_error() {
    let found = json(&["perplexity", "--json", "-d", "cpu", "--context", "128", "--chunks", "2"]);
    assert_eq!((&found["chunks"], &found["scored_tokens"]), (&Value::from(2), &Value::from(2 * 63)));
    let perplexity = found["perplexity"].as_f64().expect("a number");
    assert!(perplexity > 1.0 && perplexity < 1e6, "{found}");
    assert!(found["perplexity_error"].as_f64().is_some_and(|error| error > 0.0));
    let text = stdout(&["perplexity", "-d", "cpu", "--context", "128", "--chunks", "2"]);
    assert!(text.contains(&format!("perplexity  {perplexity:.4} ± ")), "{text}");
}

#[test]
fn perplexity_of_a_text_without_a_chunk_says_how_many_tokens_it_has() {
    let (status, said) = failure_of_input(&["perplexity", "-d", "cpu", "--file", "-"], "Once upon a time");
    assert_eq!(status, 1);
    assert!(said.contains("tokens, fewer than a chunk of 512") && said.contains("--context of at most"), "{said}");
}

#[test]
fn compare_finds_a_model_equal_to_itself_and_a_quantisation_near_it() {
    let ember = |ty: &str| format!("{}/../models/ember/ember-{ty}.gguf", env!("CARGO_MANIFEST_DIR"));
    let [q8, q4] = ["q8_0", "q4_k_m"].map(ember);
    let compare = |b: &str| json(&["compare", &q8, b, "--json", "-d", "cpu", "--context", "128", "--chunks", "2"]);
    let same = compare(&q8);
    assert_eq!((same["divergence"].as_f64(), same["same_top"].as_f64()), (Some(0.0), Some(1.0)), "{same}");
    assert_eq!(same["perplexity_a"], same["perplexity_b"]);
    let near = compare(&q4);
    let divergence = near["divergence"].as_f64().expect("a number");
    assert!(divergence > 1e-5 && divergence < 1.0, "{near}");
    let (_, said) = failure(&["compare", &q8, &golden("llama.gguf"), "-d", "cpu"]);
    assert!(said.contains("cannot be compared"), "{said}");
}

#[test]
fn imatrix_is_taken_by_convert() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("a name").to_string();
    let (matrix, converted) = (path("imatrix.gguf"), path("small.gguf"));
    let model = golden("qwen3moe.gguf");
    let made = output(&["imatrix", "-m", &model, "-o", &matrix, "--context", "64", "--chunks", "2"]);
    let said = String::from_utf8_lossy(&made.stderr).into_owned();
    assert!(made.status.success() && said.contains("importances of 16 matrices"), "{said}");
    let (_, said) = failure(&["imatrix", "-m", &model, "-o", &matrix]);
    assert!(said.contains("--force"), "{said}");
    let convert = output(&["convert", &model, &converted, "--type", "q4_0", "--imatrix", &matrix]);
    let said = String::from_utf8_lossy(&convert.stderr).into_owned();
    assert!(convert.status.success() && !said.contains("and none for such as blk."), "{said}");
}

/// Exit status and standard error of a run that must fail on what it reads.
fn failure_of_input(arguments: &[&str], input: &str) -> (i32, String) {
    let output = with_input(arguments, input);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "", "{arguments:?}");
    (output.status.code().expect("an exit status"), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// A model of random weights goes on until it is stopped.
#[cfg(unix)]
#[test]
fn ctrl_c_ends_an_answer_and_the_status_is_130() {
    use std::io::Read;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("endless.gguf");
    let file = file.to_str().expect("a path in UTF-8");
    stdout(&["synth", "16-layers", file]);
    let mut child = inglenook(&["run", "fire", "-t", "0", "-d", "cpu", "-m", file])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut out = child.stdout.take().expect("a pipe");
    let mut first = [0];
    out.read_exact(&mut first).expect("the answer begins");
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill runs");
    assert!(sent.success());
    let mut rest = String::new();
    out.read_to_string(&mut rest).expect("the rest of the answer");
    assert_eq!(child.wait().expect("the program ends").code(), Some(130));
    assert!(rest.ends_with('\n'), "the line is ended: {rest:?}");
    assert!(rest.len() < 2000, "the answer was stopped, not finished: {} bytes", rest.len());
}

/// What DESIGN.md promises of a step, of a model of 16 layers.
#[test]
fn a_steady_decode_creates_nothing_and_reads_seldom() {
    let row = json(&[
        "bench",
        "--synthetic",
        "16-layers",
        "--prompt",
        "8",
        "--generate",
        "48",
        "--runs",
        "1",
        "--json",
        "-d",
        "gpu",
    ]);
    let figure = |name: &str| row[name].as_f64().unwrap_or_else(|| panic!("{name} in {row}"));
    assert_eq!(figure("objects_per_token"), 0.0, "{row}");
    assert!(figure("submits_per_token") <= 1.0, "{row}");
    assert!(figure("reads_per_token") <= 0.25 + 0.01, "{row}");
    // Outside the layers: embedding, last norm, head, three of sampling.
    assert!((figure("step_dispatches") - 6.0) / 16.0 <= 9.0, "{row}");
    assert!(figure("decode_tok_s") > 0.0 && figure("prefill_tok_s") > 0.0 && figure("copy_gb_s") > 0.0, "{row}");
    assert_eq!(figure("decode_tokens"), 48.0);
}

#[test]
fn draft_model_changes_no_token_and_is_refused_when_its_vocabulary_differs() {
    let ember = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/ember/ember-q8_0.gguf");
    let run = ["run", "fire", "-t", "0", "-n", "24", "--json", "-d", "cpu"];
    let tokens = |more: &[&str]| json(&[&run, more].concat())["tokens"].clone();
    assert_eq!(tokens(&["--draft", ember]), tokens(&["--no-speculation"]));
    let (_, said) = failure(&[&run[..], &["--draft", &golden("llama.gguf")]].concat());
    assert!(said.contains("same family"), "{said}");
}

#[test]
fn bench_of_speculation_compares_the_same_tokens() {
    let ember = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/ember/ember-q8_0.gguf");
    for draft in [&[][..], &["--draft", ember]] {
        let bench = ["bench", "--speculation", "copy", "--tokens", "24", "--runs", "1", "--json", "-d", "cpu"];
        let row = json(&[&bench, draft].concat());
        let figures = ["decode_tokens", "differing_answers"].map(|name| row[name].as_u64());
        assert_eq!(figures, [Some(24), Some(0)], "{row}");
    }
    let (_, said) = failure(&["bench", "--draft", ember]);
    assert!(said.contains("--speculation"), "{said}");
}

/// An embedding of 200 MiB has to be cut where a binding holds 128 MiB.
#[test]
fn default_limits_give_the_same_tokens() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("wide.gguf");
    let file = file.to_str().expect("a path in UTF-8");
    stdout(&["synth", "wide-embedding", file]);
    let run = |more: &[&str]| {
        let arguments = ["run", "--raw", "fire", "-t", "0", "-n", "3", "--json", "-m", file, "--kv-type", "f32"];
        json(&[&arguments, more].concat())["tokens"].clone()
    };
    let limited = run(&["-d", "gpu", "--default-limits"]);
    assert_eq!(limited, run(&["-d", "gpu"]));
    assert_eq!(limited, run(&["-d", "cpu"]));
    assert_eq!(limited.as_array().map(Vec::len), Some(3));
}
