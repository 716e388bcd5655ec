//! GGUF files taken apart, changed and put together again.

use std::path::Path;

use inglenook::format::gguf::write::GgufWriter;
use inglenook::format::gguf::{Array, Gguf, Value};
use inglenook::format::quant::{TensorType, WeightType, quantise};
use inglenook::source::{Memory, Source};
use pollster::block_on;

/// A file in the making.
#[derive(Clone)]
pub struct File {
    pub entries: Vec<(String, Value)>,
    pub tensors: Vec<Tensor>,
}

#[derive(Clone)]
pub struct Tensor {
    pub name: String,
    pub dims: Vec<u64>,
    pub ty: TensorType,
    pub data: Vec<u8>,
}

impl File {
    pub fn ember() -> File {
        File::read(include_bytes!("../../../models/ember/ember-q8_0.gguf"))
    }

    /// A model of the goldens.
    pub fn golden(name: &str) -> File {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/goldens");
        File::read(&std::fs::read(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}")))
    }

    pub fn read(bytes: &[u8]) -> File {
        let source = Memory(bytes);
        let gguf = block_on(Gguf::read(&source)).expect("a sound file");
        let entries = gguf.metadata.iter().map(|(key, value)| (key.to_owned(), value.clone())).collect();
        let data = |offset, bytes: u64| {
            let mut data = vec![0; bytes as usize];
            block_on(source.read_at(offset, &mut data)).expect("data of a sound file");
            data
        };
        let tensor = |info: &inglenook::format::gguf::TensorInfo| Tensor {
            name: info.name.clone(),
            dims: info.dims.clone(),
            ty: info.ty,
            data: data(info.offset, info.bytes),
        };
        File { entries, tensors: gguf.tensors().iter().map(tensor).collect() }
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut writer = GgufWriter::new();
        for (key, value) in &self.entries {
            writer.entry(key, value.clone());
        }
        for tensor in &self.tensors {
            writer.tensor(&tensor.name, &tensor.dims, tensor.ty).expect("dimensions that fit the type");
        }
        let mut out = writer.start(Vec::new()).expect("memory takes every byte");
        for tensor in &self.tensors {
            out.write(&tensor.data).expect("data of the declared length");
        }
        out.finish().expect("all data is there")
    }

    pub fn header(&self) -> Gguf {
        block_on(Gguf::read(&Memory(self.bytes()))).expect("a readable header")
    }

    pub fn get(&self, key: &str) -> &Value {
        &self.entries.iter().find(|(known, _)| known == key).unwrap_or_else(|| panic!("no {key}")).1
    }

    pub fn set(mut self, key: &str, value: impl Into<Value>) -> File {
        let value = value.into();
        match self.entries.iter_mut().find(|(known, _)| known == key) {
            Some(entry) => entry.1 = value,
            None => self.entries.push((key.to_owned(), value)),
        }
        self
    }

    pub fn without(mut self, name: &str) -> File {
        self.entries.retain(|(key, _)| key != name);
        self.tensors.retain(|tensor| tensor.name != name);
        self
    }

    /// Gives a token another type.
    pub fn retyped(self, token: u32, kind: i32) -> File {
        let Value::Array(Array::I32(kinds)) = self.get("tokenizer.ggml.token_type") else { panic!("types of tokens") };
        let mut kinds = kinds.clone();
        kinds[token as usize] = kind;
        self.set("tokenizer.ggml.token_type", kinds)
    }

    /// The texts of the tokens.
    pub fn tokens(&self) -> Vec<String> {
        let Value::Array(Array::String(tokens)) = self.get("tokenizer.ggml.tokens") else { panic!("tokens") };
        tokens.iter().map(str::to_owned).collect()
    }

    pub fn tensor(&mut self, name: &str) -> &mut Tensor {
        self.tensors.iter_mut().find(|tensor| tensor.name == name).unwrap_or_else(|| panic!("no {name}"))
    }

    pub fn with(mut self, name: &str, dims: &[u64], ty: impl Into<TensorType>, data: Vec<u8>) -> File {
        self.tensors.push(Tensor { name: name.to_owned(), dims: dims.to_vec(), ty: ty.into(), data });
        self
    }

    /// A vector of a type.
    pub fn with_vector(self, name: &str, ty: WeightType, values: &[f32]) -> File {
        let mut data = Vec::new();
        quantise(ty, values, &mut data).expect("a type that can be written");
        self.with(name, &[values.len() as u64], ty, data)
    }

    /// A vector of numbers that nobody needs.
    pub fn with_floats(self, name: &str) -> File {
        self.with_vector(name, WeightType::F32, &[0.5; 32])
    }
}
