//! How a program of many threads asks: one thread owns the engine, and answers flow to the others through channels as they are
//! generated.

use std::error::Error;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use inglenook::{Engine, Event, Request};
use serde_json::json;

/// A request, and where its answer goes.
struct Question {
    request: Request,
    answer: Sender<Result<String, String>>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let (questions, asked) = mpsc::channel();
    let owner = thread::spawn(move || own(&asked));
    let asking: Vec<_> = ["What is the opposite of hot?", "What is the opposite of big?"]
        .map(|question| {
            let questions = questions.clone();
            thread::spawn(move || ask(&questions, question))
        })
        .into();
    // The owner ends once nobody can ask any more.
    drop(questions);
    for thread in asking {
        println!("{}", thread.join().expect("the thread has not panicked")?);
    }
    owner.join().expect("the thread has not panicked")?;
    Ok(())
}

/// Asks from any thread, and puts the pieces together.
fn ask(questions: &Sender<Question>, question: &str) -> Result<String, String> {
    let request = json!({"messages": [{"role": "user", "content": question}], "temperature": 0, "max_tokens": 50});
    let request = Request::from_json(&request.to_string()).map_err(|error| error.to_string())?;
    let (answer, pieces) = mpsc::channel();
    questions.send(Question { request, answer }).map_err(|error| error.to_string())?;
    pieces.iter().collect()
}

/// Owns the engine, and answers one question after the other. (`batch` answers several at once.)
fn own(asked: &Receiver<Question>) -> Result<(), String> {
    pollster::block_on(async {
        let engine = inglenook_examples::load().await.map_err(|error| error.to_string())?;
        for Question { request, answer } in asked {
            if let Err(error) = pass_on(&engine, request, &answer).await {
                // Who has stopped listening wants no error either.
                let _ = answer.send(Err(error.to_string()));
            }
        }
        Ok(())
    })
}

/// Sends what is generated as it comes, as long as somebody listens.
async fn pass_on(
    engine: &Engine,
    request: Request,
    listener: &Sender<Result<String, String>>,
) -> Result<(), inglenook::Error> {
    let mut answer = engine.submit(request)?;
    while let Some(event) = answer.next().await? {
        if let Event::Text { text } = event
            && listener.send(Ok(text)).is_err()
        {
            // Dropping the answer ends it.
            return Ok(());
        }
    }
    Ok(())
}
