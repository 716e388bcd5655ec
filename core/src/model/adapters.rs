//! LoRA adapters on a device: beside each matrix that one of them changes lie the thin matrices of all, one below the other.
//!
//! Each adapter has some columns of every such stack, as many as its largest rank; where it changes a matrix less or not at all, they are zeros.
//! What a sequence has of each column is in a table, which requests change and plans read.

use inglenook_format::lora::{Lora, LowRank};
use inglenook_format::order::sort_by;

use crate::device::{Device, Slice, Storage};
use crate::gpu::GpuError;
use crate::model::Model;
use crate::model::weights::Matrices;

/// The adapters of all requests.
#[derive(Debug)]
pub struct AdapterStacks {
    device: Device,
    /// Columns of all stacks.
    rank: u32,
    /// f32 `[slots, rank]`.
    scales: Storage,
    /// By the name of the matrix. Each kind of map would cost a page kilobytes, and these are few.
    stacks: Vec<(String, Stack)>,
}

/// The thin matrices beside a matrix.
#[derive(Debug, Clone)]
pub struct Stack {
    /// f32 `[rank, inputs]`.
    pub a: Storage,
    /// f32 `[rank, outputs]`.
    pub b: Storage,
    /// Columns and rows of the matrix.
    pub size: [u32; 2],
}

impl AdapterStacks {
    /// Room for adapters of this rank in all, for so many slots, beside these matrices of a model and those that are multiplied with in one
    /// dispatch with them.
    ///
    /// # Errors
    /// No memory, or a stack beyond what the device binds.
    pub fn new<'n>(
        device: &Device,
        model: &'n Model,
        (rank, slots): (u32, u32),
        mut names: Vec<&'n str>,
    ) -> Result<AdapterStacks, GpuError> {
        let Matrices { sizes, fused } = model.matrices();
        let mut known = 0;
        loop {
            sort_by(&mut names, Ord::cmp);
            names.dedup();
            if std::mem::replace(&mut known, names.len()) == names.len() {
                break;
            }
            let touched = fused.iter().filter(|fused| fused.iter().any(|name| names.contains(&name.as_str())));
            let touched: Vec<&str> = touched.flatten().map(String::as_str).collect();
            names.extend(touched);
        }
        let limit = device.facts().limits.binding;
        let half = |label, len: u32| {
            let wanted = u64::from(rank) * u64::from(len) * 4;
            if wanted > limit {
                return Err(GpuError::TooSmall { what: "bindings", limit, wanted });
            }
            device.buffer(label, wanted)
        };
        let stack = |(name, size): (&str, [u32; 2])| {
            let [a, b] = [half("adapter A", size[0])?, half("adapter B", size[1])?];
            Ok((name.to_owned(), Stack { a, b, size }))
        };
        let sized = names.into_iter().filter_map(|name| Some((name, *sizes.get(name)?)));
        Ok(AdapterStacks {
            device: device.clone(),
            rank,
            scales: device.buffer("adapter scales", u64::from(slots * rank) * 4)?,
            stacks: sized.map(stack).collect::<Result<_, GpuError>>()?,
        })
    }

    /// Adapters for a sequence alone, each by its factor.
    ///
    /// # Errors
    /// As [`AdapterStacks::new`].
    pub fn of(device: &Device, model: &Model, adapters: &[(&Lora, f32)]) -> Result<AdapterStacks, GpuError> {
        let names = adapters.iter().flat_map(|(adapter, _)| adapter.weights.keys().map(String::as_str)).collect();
        let ranks = || adapters.iter().map(|(adapter, _)| adapter.rank() as u32);
        let places = ranks().scan(0, |end, rank| Some((std::mem::replace(end, *end + rank), rank)));
        let stacks = AdapterStacks::new(device, model, (ranks().sum(), 1), names)?;
        places.clone().zip(adapters).for_each(|(place, (adapter, _))| stacks.put(place, adapter));
        stacks.write_row(0, &stacks.row(places.zip(adapters.iter().map(|(_, scale)| *scale))));
        Ok(stacks)
    }

    /// Takes over the matrices of others, which have no more columns and no other ones.
    pub fn take_over(&self, others: &AdapterStacks) {
        let halves = |stack: &Stack| [stack.a.clone(), stack.b.clone()];
        let copies = others.stacks.iter().filter_map(|(name, stack)| Some((stack, self.find(name)?)));
        let copies = copies.flat_map(|(from, to)| halves(from).into_iter().zip(halves(to)));
        let copies: Vec<(Slice, Slice)> = copies.map(|(from, to)| (from.all(), to.slice(0, from.bytes()))).collect();
        self.device.copy(&copies);
    }

    /// Columns of all stacks.
    pub fn rank(&self) -> u32 {
        self.rank
    }

    /// What a sequence has of each column, f32 `[slots, rank]`.
    pub fn scales(&self) -> Slice {
        self.scales.all()
    }

    /// The stack beside a matrix, if an adapter changes it.
    pub fn find(&self, name: &str) -> Option<&Stack> {
        self.stacks.iter().find(|(known, _)| known == name).map(|(_, stack)| stack)
    }

    /// Names of the matrices that have one.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.stacks.iter().map(|(name, _)| name.as_str())
    }

    /// Device memory, bytes.
    pub fn bytes(&self) -> u64 {
        self.scales.bytes() + self.stacks.iter().map(|(_, stack)| stack.a.bytes() + stack.b.bytes()).sum::<u64>()
    }

    /// Writes an adapter to its columns, which begin at `first`; `rank` of them.
    pub fn put(&self, (first, rank): (u32, u32), adapter: &Lora) {
        for (name, stack) in &self.stacks {
            let [a, b] = halves(adapter.weights.get(name), rank as usize, stack.size.map(|len| len as usize));
            let write = |storage, len: u32, values: &[f32]| {
                self.device.write(storage, u64::from(first) * u64::from(len) * 4, bytemuck::cast_slice(values));
            };
            write(&stack.a, stack.size[0], &a);
            write(&stack.b, stack.size[1], &b);
        }
    }

    /// A row of the table: of the columns of each range so much, of all others nothing.
    pub fn row(&self, chosen: impl IntoIterator<Item = ((u32, u32), f32)>) -> Vec<f32> {
        let mut row = vec![0.0; self.rank as usize];
        for ((first, count), scale) in chosen {
            row[first as usize..][..count as usize].iter_mut().for_each(|column| *column += scale);
        }
        row
    }

    /// Writes what a slot's sequence has.
    pub fn write_row(&self, slot: u32, row: &[f32]) {
        self.device.write(&self.scales, u64::from(slot * self.rank) * 4, bytemuck::cast_slice(row));
    }

    /// The same stacks with a table of its own, of one slot.
    ///
    /// # Errors
    /// No memory.
    pub fn for_one(&self, row: &[f32]) -> Result<AdapterStacks, GpuError> {
        let scales = self.device.buffer("adapter scales", u64::from(self.rank) * 4)?;
        let stacks =
            AdapterStacks { device: self.device.clone(), rank: self.rank, scales, stacks: self.stacks.clone() };
        stacks.write_row(0, row);
        Ok(stacks)
    }
}

/// Both matrices in rows of so many columns, and zeros behind the rank that they have: A as it is, B turned and by the factor.
fn halves(low_rank: Option<&LowRank>, rank: usize, [inputs, outputs]: [usize; 2]) -> [Vec<f32>; 2] {
    let (mut a, mut b) = (vec![0.0; rank * inputs], vec![0.0; rank * outputs]);
    if let Some(LowRank { rank: own, a: own_a, b: own_b, scale }) = low_rank {
        a[..own_a.len()].copy_from_slice(own_a);
        for (n, row) in own_b.chunks_exact(*own).enumerate() {
            row.iter().enumerate().for_each(|(c, value)| b[c * outputs + n] = value * scale);
        }
    }
    [a, b]
}
