//! An answer that is sure to be of a type: the engine holds it to the schema token by token, whatever the model and the temperature.

use std::error::Error;

use inglenook::{Event, FinishReason, Request};
use serde::Deserialize;
use serde_json::json;

#[derive(Debug, Deserialize)]
#[allow(dead_code, reason = "only shown")]
struct Weather {
    city: String,
    sky: Sky,
    celsius: i32,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Sky {
    Sunny,
    Cloudy,
    Rainy,
}

fn main() -> Result<(), Box<dyn Error>> {
    let schema = json!({
        "type": "object",
        "properties": {
            "city": {"type": "string", "maxLength": 20},
            "sky": {"enum": ["sunny", "cloudy", "rainy"]},
            "celsius": {"type": "integer", "minimum": -40, "maximum": 50}
        },
        "required": ["city", "sky", "celsius"],
        "additionalProperties": false
    });
    let request = json!({
        "messages": [{"role": "user", "content": "Invent the weather in Oslo, as JSON."}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "weather", "schema": schema}},
        "max_tokens": 100
    });
    pollster::block_on(async {
        let engine = inglenook_examples::load().await?;
        let mut answer = engine.submit(Request::from_json(&request.to_string())?)?;
        let mut text = String::new();
        while let Some(event) = answer.next().await? {
            match event {
                Event::Text { text: more } => text += &more,
                // At a limit the engine closes what is open: the text is a document all the same.
                Event::Done { reason: FinishReason::Length, .. } => eprintln!("the answer was led to its end"),
                _ => {}
            }
        }
        let weather: Weather = serde_json::from_str(&text)?;
        println!("{weather:?}");
        Ok(())
    })
}
