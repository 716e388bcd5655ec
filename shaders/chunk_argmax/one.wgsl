// An invocation scans a chunk alone; nobody waits.
const GROUP: u32 = 32u;

fn chunk_of(group: u32, local: u32) -> u32 {
    return group * GROUP + local;
}

fn lane_of(local: u32) -> u32 {
    return 0u;
}
