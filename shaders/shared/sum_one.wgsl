// A workgroup of one invocation: its sum is its own.
const LANES: u32 = 1u;

fn sum_over_lanes(value: f32, lane: u32) -> f32 {
    return value;
}
