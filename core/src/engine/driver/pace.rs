//! How much a device is given at once.

use crate::clock::Duration;
use crate::device::Device;

/// How far a device runs ahead of what is read of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lead {
    /// Submissions that may be in flight.
    pub submits: usize,
    /// Steps of each, once answers are under way.
    pub steps: u32,
}

impl Lead {
    pub fn of(device: &Device) -> Lead {
        match device {
            // It works while the CPU waits, and is read for every four tokens.
            Device::Gpu(_) => Lead { submits: 2, steps: 4 },
            // A step takes long beside a message. What is cancelled wastes no more than is under way.
            Device::CpuModule(_) => Lead { submits: 2, steps: 1 },
            // A submission is computed where it is made: a token would wait for those behind it.
            Device::Cpu => Lead { submits: 1, steps: 1 },
        }
    }
}

/// How long a chunk of a prompt may keep the device while other answers are under way, and while none is.
const SHARED_CHUNK: Duration = Duration::from_millis(100);
const CHUNK_ALONE: Duration = Duration::from_millis(500);

/// Fewest tokens of a chunk; fewer tell too little of what a token takes.
const MIN_CHUNK: usize = 16;

/// How many tokens of a prompt are computed at once, by the time that the last took.
#[derive(Debug)]
pub(super) struct ChunkPace {
    most: usize,
    /// Tokens of the first chunk where nobody else waits.
    first: usize,
    /// Of a token; none before the first is measured.
    millis: Option<f64>,
}

impl ChunkPace {
    /// Before anything is measured, where a chunk has so many tokens at most.
    pub fn new(most: usize, device: &Device) -> ChunkPace {
        // A GPU is quick enough for a whole one.
        let first = if device.is_cpu() { 4 * MIN_CHUNK } else { most };
        ChunkPace { most, first, millis: None }
    }

    /// So many tokens took so many milliseconds.
    pub fn measured(&mut self, tokens: usize, millis: f64) {
        if tokens < MIN_CHUNK {
            return;
        }
        let millis = millis / tokens as f64;
        self.millis = Some(self.millis.map_or(millis, |before| (before + millis) / 2.0));
    }

    /// What a token takes, in milliseconds, where it was measured.
    pub fn millis(&self) -> Option<f64> {
        self.millis
    }

    /// The tokens of a chunk where others decode.
    pub fn shared(&self) -> usize {
        self.within(SHARED_CHUNK, 4 * MIN_CHUNK)
    }

    /// The tokens of a chunk where nobody else does: its own caller may cancel it, too.
    pub fn alone(&self) -> usize {
        self.within(CHUNK_ALONE, self.first)
    }

    fn within(&self, time: Duration, first: usize) -> usize {
        match self.millis {
            Some(millis) => ((time.as_secs_f64() * 1e3 / millis.max(1e-6)) as usize / MIN_CHUNK * MIN_CHUNK)
                .clamp(MIN_CHUNK.min(self.most), self.most),
            None => self.most.min(first),
        }
    }
}
