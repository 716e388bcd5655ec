// Heads without sinks; see attention_sinks.wgsl.
const SINKS: bool = false;

fn sink(head: u32) -> f32 {
    return 0.0;
}
