//! Every permutation of every kernel is valid WGSL for naga and can be written out for Vulkan, Metal and DX12.
//!
//! Features are those of an imagined adapter that has them all, so that variants are covered which the machine at hand lacks.

use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};
use naga::{Module, ShaderStage, back, front};

use inglenook::gpu::{AdapterInfo, Features, Limits, Shader};
use inglenook::kernels::verify::{all_cases, shaders};

fn everything() -> AdapterInfo {
    AdapterInfo {
        name: "everything".into(),
        backend: "none".into(),
        driver: String::new(),
        software: false,
        features: Features { f16: true, subgroups: Some((4, 128)), dot4: true, timestamps: true },
        limits: Limits::DEFAULT,
    }
}

#[test]
fn every_permutation_is_valid_and_can_be_written_for_every_platform() {
    let mut seen = 0;
    let mut faults = Vec::new();
    for case in all_cases() {
        for (variant, shader) in shaders(&case, &everything()) {
            seen += 1;
            if let Err(fault) = check(&shader) {
                faults.push(format!("{} {variant:?}: {fault}", case.name));
            }
        }
    }
    assert!(seen > 150, "only {seen} permutations were seen");
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

fn check(shader: &Shader) -> Result<(), String> {
    let text = shader.wgsl(false);
    let module = front::wgsl::parse_str(&text).map_err(|error| error.emit_to_string(&text))?;
    let info = validate(&module).map_err(|error| format!("invalid: {error}"))?;
    if let Some(name) = unused_operand(&module, &info) {
        return Err(format!("the kernel declares `{name}`, which this shader does not use"));
    }
    let constants = shader.constants().into_iter().map(|(key, value)| (key.to_string(), value)).collect();
    let stage = Some((ShaderStage::Compute, "main"));
    let (module, info) = back::pipeline_constants::process_overrides(&module, &info, stage, &constants)
        .map_err(|error| format!("constants: {error}"))?;
    spirv(&module, &info).map_err(|error| format!("SPIR-V: {error}"))?;
    metal(&module, &info).map_err(|error| format!("MSL: {error}"))?;
    hlsl(&module, &info).map_err(|error| format!("HLSL: {error}"))
}

/// An operand that a kernel declares in vain: a binding, and a barrier between dispatches, for nothing.
fn unused_operand<'a>(module: &'a Module, info: &ModuleInfo) -> Option<&'a str> {
    let main = info.get_entry_point(0);
    let mut bindings = module.global_variables.iter().filter(|(_, variable)| variable.binding.is_some());
    let (_, unused) = bindings.find(|(handle, _)| main[*handle].is_empty())?;
    unused.name.as_deref()
}

fn validate(module: &Module) -> Result<ModuleInfo, String> {
    Validator::new(ValidationFlags::all(), Capabilities::all())
        .validate(module)
        .map_err(|error| format!("{:?}", error.into_inner()))
}

fn spirv(module: &Module, info: &ModuleInfo) -> Result<(), back::spv::Error> {
    let options = back::spv::Options { lang_version: (1, 4), ..Default::default() };
    back::spv::write_vec(module, info, &options, None).map(|_| ())
}

fn metal(module: &Module, info: &ModuleInfo) -> Result<(), back::msl::Error> {
    let options = back::msl::Options { lang_version: (3, 1), fake_missing_bindings: true, ..Default::default() };
    back::msl::write_string(module, info, &options, &Default::default()).map(|_| ())
}

fn hlsl(module: &Module, info: &ModuleInfo) -> Result<(), String> {
    let options = back::hlsl::Options {
        shader_model: back::hlsl::ShaderModel::V6_6,
        fake_missing_bindings: true,
        ..Default::default()
    };
    let mut text = String::new();
    let pipeline = back::hlsl::PipelineOptions::default();
    let mut writer = back::hlsl::Writer::new(&mut text, &options, &pipeline);
    writer.write(module, info, None).map(|_| ()).map_err(|error| error.to_string())
}
