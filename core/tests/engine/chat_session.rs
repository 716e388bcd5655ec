//! A conversation that is forked, cut, edited and answered again: only what changed is computed, and the tokens are those of an engine
//! that has seen nothing else.

use inglenook::engine::event::{Event, Usage};
use inglenook::source::Memory;
use inglenook::{Answer, Device, Engine, EngineOptions, Request, Session};
use pollster::block_on;
use serde_json::{Value, json};

use crate::EMBER;

fn load() -> Engine {
    block_on(Engine::load(Device::Cpu, &Memory(EMBER), &EngineOptions::default(), &mut |_| true)).expect("ember loads")
}

fn settings() -> Request {
    Request::from_json(r#"{"temperature": 0, "max_tokens": 16}"#).expect("good")
}

fn user(text: &str) -> Value {
    json!({"role": "user", "content": text})
}

struct Said {
    text: String,
    tokens: Vec<u32>,
    usage: Usage,
}

fn read(answer: Result<Answer, inglenook::Error>) -> Said {
    let mut answer = answer.expect("a good request");
    let mut said = String::new();
    loop {
        match block_on(answer.next()).expect("generates").expect("an end") {
            Event::Text { text } => said += &text,
            Event::Done { usage, .. } => return Said { text: said, tokens: answer.tokens(0), usage },
            _ => {}
        }
    }
}

/// Of a session, its engine, and the prompts it was asked for so far.
struct Checked {
    engine: Engine,
    prompts: Vec<Vec<u32>>,
}

impl Checked {
    /// Reads an answer of `session`: what earlier prompts have in common with its prompt was not computed again, and its tokens are
    /// those of a cold cache.
    fn answer(&mut self, session: &mut Session, begin: impl Fn(&mut Session) -> Answer) -> Said {
        let said = read(Ok(begin(session)));
        let prompt = self.engine.prompts().tokens(session.request_mut()).expect("good");
        let shared = |other: &Vec<u32>| prompt.iter().zip(other).take_while(|(one, other)| one == other).count();
        // The last token of a prompt is always computed, since the first of the answer follows from it.
        let standing = self.prompts.iter().map(shared).max().unwrap_or(0).min(prompt.len() - 1);
        assert_eq!(said.usage.prompt_tokens as usize, prompt.len());
        assert!(said.usage.cached_tokens as usize >= standing, "{:?}, {standing} stand", said.usage);
        let cold = load();
        let expected = read(cold.submit(session.request_mut().clone()));
        assert_eq!((&said.tokens, expected.usage.cached_tokens), (&expected.tokens, 0));
        self.prompts.push(prompt);
        said
    }
}

#[test]
fn session_computes_only_what_changed_when_forked_cut_edited_and_answered_again() {
    let engine = load();
    let mut checked = Checked { engine: engine.clone(), prompts: Vec::new() };
    let mut session = Session::new(engine, settings());
    let begin = |session: &mut Session| session.answer().expect("good");
    session.push(user(&"The fire was low and the old dog slept beside it. ".repeat(6)));
    let first = checked.answer(&mut session, begin);
    session.push(json!({"role": "assistant", "content": first.text}));
    session.push(user("What did the dog do?"));
    let second = checked.answer(&mut session, begin);
    assert!(second.usage.cached_tokens + 4 >= first.usage.prompt_tokens, "{:?}", second.usage);
    session.push(json!({"role": "assistant", "content": second.text}));

    let mut fork = session.clone();
    fork.push(user("And the cat?"));
    let forked = checked.answer(&mut fork, begin);
    assert!(forked.usage.cached_tokens + 4 >= second.usage.prompt_tokens, "{:?}", forked.usage);
    assert_eq!((session.messages().len(), fork.messages().len()), (4, 5));

    let again = checked.answer(&mut session, |session| session.regenerate().expect("good"));
    assert_eq!((&again.tokens, session.messages().len()), (&second.tokens, 3));
    assert_eq!(again.usage.cached_tokens + 1, again.usage.prompt_tokens, "all but the last token stood");

    assert_eq!(session.edit(2, user("What colour is the sky?")), Some(user("What did the dog do?")));
    let edited = checked.answer(&mut session, begin);
    assert!(edited.usage.cached_tokens + 4 >= first.usage.prompt_tokens, "{:?}", edited.usage);

    session.cut(1);
    assert_eq!(checked.answer(&mut session, begin).tokens, first.tokens);
}

#[test]
fn session_edits_nothing_where_there_is_no_such_message() {
    let mut session = Session::new(load(), settings());
    assert_eq!(session.edit(0, user("Hello!")), None);
    session.cut(3);
    assert_eq!(session.regenerate().expect_err("nothing was said").code(), "BadRequest");
    session.push(user("Hello!"));
    assert_eq!(session.edit(1, user("Hello!")), None);
    assert_eq!(session.messages(), [user("Hello!")]);
}
