// A learned logit for each query head, which joins its softmax without a value. sinks: [HEADS] f32.
const SINKS: bool = true;

fn sink(head: u32) -> f32 {
    return sinks[head];
}
