//! A conversation in the terminal: a line is a question. What was computed for the turns before is not computed again.

use std::error::Error;
use std::io::{self, BufRead, Write};

use inglenook::{Event, Request, Session};
use serde_json::json;

fn main() -> Result<(), Box<dyn Error>> {
    pollster::block_on(async {
        let engine = inglenook_examples::load().await?;
        let mut session = Session::new(engine, Request::from_json(r#"{"max_tokens": 200}"#)?);
        for line in io::stdin().lock().lines() {
            session.push(json!({"role": "user", "content": line?}));
            let mut answer = session.answer()?;
            let mut said = String::new();
            while let Some(event) = answer.next().await? {
                if let Event::Text { text } = event {
                    print!("{text}");
                    io::stdout().flush()?;
                    said += &text;
                }
            }
            println!();
            session.push(json!({"role": "assistant", "content": said}));
        }
        Ok(())
    })
}
