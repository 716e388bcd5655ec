// What is added to a channel's sum: bias, [channels] f32.
fn bias_of(channel: u32) -> f32 {
    return bias[channel];
}
