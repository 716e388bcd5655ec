//! A row that has ended is left alone: steps that were queued behind its end compute no position of it.

use super::*;

/// Bytes of the page that a fresh engine filled last: of each layer its keys, then its values, `[kv_head, position, head_dim]` in f16. And
/// how many positions there are bytes of in a row.
fn last_page(engine: &Engine, tokens: &[u32]) -> (Vec<u8>, usize, usize) {
    let (mut file, mut session) = (Vec::new(), engine.save(tokens, b""));
    let standing = session.tokens();
    while let Some(bytes) = block_on(session.next()).expect("reads") {
        file.extend(bytes);
    }
    let header = u32::from_le_bytes(file[12..16].try_into().expect("4 bytes")) as usize;
    let header: Value = serde_json::from_slice(&file[16..16 + header]).expect("a header");
    let number = |name: &str| header["layout"][name].as_u64().expect("a number") as usize;
    let end = file.len() - 16 - 8;
    (file[end - number("page_bytes")..end].to_vec(), number("head_dim") * 2, standing)
}

/// Positions of a page at which anything was written.
fn written(page: &[u8], position_bytes: usize) -> Vec<usize> {
    let heads = page.chunks_exact(32 * position_bytes);
    let mut positions = [false; 32];
    for head in heads {
        for (position, bytes) in head.chunks_exact(position_bytes).enumerate() {
            positions[position] |= bytes.iter().any(|byte| *byte != 0);
        }
    }
    (0..32).filter(|position| positions[*position]).collect()
}

#[test]
fn ended_rows_compute_no_position_behind_their_end() {
    let form = json!({"type": "regex", "regex": "[0-9]{5}"});
    let cases = [
        json!({"messages": [{"role": "user", "content": QUESTIONS[0]}]}),
        json!({"messages": [{"role": "user", "content": QUESTIONS[3]}]}),
        json!({"messages": [{"role": "user", "content": QUESTIONS[1]}], "max_tokens": 5}),
        json!({"messages": [{"role": "user", "content": QUESTIONS[1]}], "max_tokens": 1}),
        json!({"messages": [{"role": "user", "content": QUESTIONS[2]}], "response_format": form}),
        json!({"messages": [{"role": "user", "content": QUESTIONS[5]}], "stop": "3"}),
    ];
    for device in [Device::Cpu, gpu()] {
        for case in &cases {
            let options = EngineOptions { no_speculation: true, max_sequences: Some(1), ..EngineOptions::default() };
            let engine = load(device.client(), &options);
            let request = request(case.clone());
            let mut tokens = engine.prompt_tokens(&request).expect("good");
            let said = block_on(read(engine.submit(request).expect("good")));
            tokens.extend(&said.tokens);
            let (page, position_bytes, standing) = last_page(&engine, &tokens);
            let found = written(&page, position_bytes);
            // A stop string is found on the CPU, when the next steps are under way: they belong to no row that has ended on the device.
            let needed: Vec<usize> = (0..(standing - 1) % 32 + 1).collect();
            println!(
                "{:?}, {} tokens: {} positions of the last page, {found:?}",
                said.reason,
                tokens.len(),
                needed.len()
            );
            if case.get("stop").is_none() {
                assert_eq!(found, needed, "{case}");
            } else {
                assert!(found.starts_with(&needed) && found.len() <= needed.len() + 2 * 4 + 1, "{case}: {found:?}");
            }
        }
    }
}
