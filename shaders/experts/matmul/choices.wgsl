// The expert of a pair, counted within the shard; of other shards' it is none of EXPERTS.
fn expert_of(pair: u32) -> u32 {
    return choices[pair / USED * 2u * USED + pair % USED] - FIRST_EXPERT;
}
