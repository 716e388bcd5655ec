//! Builds GGUF files with any lie in them; the library's own writer would refuse.

/// A file in the making.
#[derive(Clone)]
pub struct Raw {
    pub version: u32,
    /// Counts to state instead of the true ones.
    pub entry_count: Option<u64>,
    pub tensor_count: Option<u64>,
    pub entries: Vec<Vec<u8>>,
    pub infos: Vec<Vec<u8>>,
    pub data: usize,
}

/// Numbers of value types.
pub const U32: u32 = 4;
pub const I32: u32 = 5;
pub const BOOL: u32 = 7;
pub const STRING: u32 = 8;
pub const ARRAY: u32 = 9;
pub const U64: u32 = 10;
pub const F64: u32 = 12;

/// Numbers of weight types.
pub const F32: u32 = 0;
pub const Q8_0: u32 = 8;

impl Raw {
    pub fn new() -> Self {
        Raw { version: 3, entry_count: None, tensor_count: None, entries: vec![], infos: vec![], data: 0 }
    }

    pub fn entry(mut self, key: impl AsRef<[u8]>, ty: u32, value: &[u8]) -> Self {
        self.entries.push([text(key), ty.to_le_bytes().to_vec(), value.to_vec()].concat());
        self
    }

    pub fn u32(self, key: &str, value: u32) -> Self {
        self.entry(key, U32, &value.to_le_bytes())
    }

    /// `offset` counts from the start of the data.
    pub fn tensor(mut self, name: impl AsRef<[u8]>, dims: &[u64], ty: u32, offset: u64) -> Self {
        let mut info = text(name);
        info.extend((dims.len() as u32).to_le_bytes());
        dims.iter().for_each(|dim| info.extend(dim.to_le_bytes()));
        info.extend(ty.to_le_bytes());
        info.extend(offset.to_le_bytes());
        self.infos.push(info);
        self
    }

    /// Bytes of tensor data, all zeros.
    pub fn data(mut self, bytes: usize) -> Self {
        self.data = bytes;
        self
    }

    /// The file without data or padding.
    pub fn header(&self) -> Vec<u8> {
        let mut out = b"GGUF".to_vec();
        out.extend(self.version.to_le_bytes());
        out.extend(self.tensor_count.unwrap_or(self.infos.len() as u64).to_le_bytes());
        out.extend(self.entry_count.unwrap_or(self.entries.len() as u64).to_le_bytes());
        out.extend(self.entries.concat());
        out.extend(self.infos.concat());
        out
    }

    /// Where data begins, at the default alignment.
    pub fn data_start(&self) -> u64 {
        self.header().len().next_multiple_of(32) as u64
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut out = self.header();
        if self.data > 0 {
            out.resize(self.data_start() as usize + self.data, 0);
        }
        out
    }
}

/// Text as GGUF has it: length, bytes.
pub fn text(text: impl AsRef<[u8]>) -> Vec<u8> {
    let text = text.as_ref();
    [(text.len() as u64).to_le_bytes().to_vec(), text.to_vec()].concat()
}

/// The head of an array value.
pub fn array(ty: u32, count: u64) -> Vec<u8> {
    [ty.to_le_bytes().to_vec(), count.to_le_bytes().to_vec()].concat()
}
