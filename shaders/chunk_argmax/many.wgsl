// A workgroup scans a chunk together.
const GROUP: u32 = LANES;

fn chunk_of(group: u32, local: u32) -> u32 {
    return group;
}

fn lane_of(local: u32) -> u32 {
    return local;
}
