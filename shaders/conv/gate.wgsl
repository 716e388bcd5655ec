// The gate of a convolution: columns GATE_OFFSET.. of gates, [rows, GATE_STRIDE] f32.
override GATE_STRIDE: u32;
override GATE_OFFSET: u32;

fn gate_of(row: u32, channel: u32) -> f32 {
    return gates[row * GATE_STRIDE + GATE_OFFSET + channel];
}
