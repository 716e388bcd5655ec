//! Several answers at once: they are computed together, which takes less time than one after the other, and each is the answer that it
//! would be alone.

use std::error::Error;

use futures_util::future::try_join_all;
use inglenook::{Engine, Event, Request};
use serde_json::json;

const QUESTIONS: [&str; 3] =
    ["What is the opposite of hot?", "What is the opposite of big?", "What is the opposite of early?"];

fn main() -> Result<(), Box<dyn Error>> {
    pollster::block_on(async {
        let engine = inglenook_examples::load().await?;
        let answers = try_join_all(QUESTIONS.map(|question| answer(&engine, question))).await?;
        for (question, answer) in QUESTIONS.iter().zip(answers) {
            println!("{question} {answer}");
        }
        Ok(())
    })
}

/// The whole answer to a question. Whoever awaits one moves all of them on.
async fn answer(engine: &Engine, question: &str) -> Result<String, inglenook::Error> {
    let request = json!({"messages": [{"role": "user", "content": question}], "temperature": 0, "max_tokens": 50});
    let mut answer = engine.submit(Request::from_json(&request.to_string())?)?;
    let mut text = String::new();
    while let Some(event) = answer.next().await? {
        if let Event::Text { text: more } = event {
            text += &more;
        }
    }
    Ok(text)
}
