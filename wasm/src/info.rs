//! Facts about a loaded model and its device, in the words of the web: `EngineInfo` of the npm package.

use inglenook::engine::{Info, Memory, ModelInfo};
use inglenook::gpu::{AdapterInfo, Features, Limits};
use inglenook::placement::Measured;
use inglenook::plan::KernelChoice;
use serde::Serialize;

#[derive(Serialize)]
struct EngineInfo<'a> {
    model: &'a ModelInfo,
    adapter: Adapter<'a>,
    reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    measured: Option<Measured>,
    memory: Memory,
    kernels: &'a [KernelChoice],
}

/// A device, in the words of the web.
#[derive(Serialize)]
pub struct Adapter<'a> {
    name: &'a str,
    backend: &'a str,
    driver: &'a str,
    software: bool,
    features: Vec<&'static str>,
    limits: AdapterLimits,
}

/// Under their names in WebGPU.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AdapterLimits {
    max_buffer_size: u64,
    max_storage_buffer_binding_size: u64,
    max_storage_buffers_per_shader_stage: u32,
    max_compute_invocations_per_workgroup: u32,
    max_compute_workgroup_storage_size: u32,
    max_compute_workgroups_per_dimension: u32,
}

/// As JSON.
pub fn to_json(info: &Info) -> serde_json::Result<String> {
    let Info { model, adapter, reason, measured, memory, kernels } = info;
    serde_json::to_string(&EngineInfo {
        model,
        adapter: described(adapter),
        reason,
        measured: *measured,
        memory: *memory,
        kernels,
    })
}

/// The facts of a device.
pub fn described(facts: &AdapterInfo) -> Adapter<'_> {
    Adapter {
        name: &facts.name,
        backend: &facts.backend,
        driver: &facts.driver,
        software: facts.software,
        features: feature_names(&facts.features),
        limits: limits(&facts.limits),
    }
}

fn feature_names(features: &Features) -> Vec<&'static str> {
    let names = [
        ("shader-f16", features.f16),
        ("subgroups", features.subgroups.is_some()),
        ("packed_4x8_integer_dot_product", features.dot4),
        ("timestamp-query", features.timestamps),
    ];
    names.iter().filter(|(_, there)| *there).map(|(name, _)| *name).collect()
}

fn limits(limits: &Limits) -> AdapterLimits {
    AdapterLimits {
        max_buffer_size: limits.buffer,
        max_storage_buffer_binding_size: limits.binding,
        max_storage_buffers_per_shader_stage: limits.storage_buffers,
        max_compute_invocations_per_workgroup: limits.workgroup_invocations,
        max_compute_workgroup_storage_size: limits.workgroup_memory,
        max_compute_workgroups_per_dimension: limits.workgroups,
    }
}
