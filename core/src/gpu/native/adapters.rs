//! The adapters of this machine: which there are, which is the best, and what to ask of it.

use crate::gpu::{AdapterInfo, Features, GpuError, GpuOptions, Limits};

/// Every adapter, in the drivers' order.
pub async fn all() -> Vec<wgpu::Adapter> {
    instance().enumerate_adapters(wgpu::Backends::PRIMARY).await
}

/// The best adapter that fits `options`: real GPUs before software ones, discrete before integrated.
pub async fn best(options: &GpuOptions) -> Result<wgpu::Adapter, GpuError> {
    let adapters = all().await;
    let names: Vec<String> = adapters.iter().map(|adapter| adapter.get_info().name).collect();
    let wanted = options.adapter.as_deref().unwrap_or("").to_lowercase();
    let fitting = adapters.into_iter().filter(|adapter| adapter.get_info().name.to_lowercase().contains(&wanted));
    let Some(best) = fitting.min_by_key(rank) else {
        let seen = if names.is_empty() { "none answered".to_string() } else { format!("seen: {}", names.join(", ")) };
        return Err(GpuError::NoAdapter(seen));
    };
    if options.hardware_only && is_software(&best.get_info(), options) {
        return Err(GpuError::SoftwareOnly(best.get_info().name));
    }
    Ok(best)
}

fn rank(adapter: &wgpu::Adapter) -> u32 {
    match adapter.get_info().device_type {
        wgpu::DeviceType::DiscreteGpu => 0,
        wgpu::DeviceType::IntegratedGpu => 1,
        wgpu::DeviceType::VirtualGpu => 2,
        wgpu::DeviceType::Other => 3,
        wgpu::DeviceType::Cpu => 4,
    }
}

fn is_software(info: &wgpu::AdapterInfo, options: &GpuOptions) -> bool {
    info.device_type == wgpu::DeviceType::Cpu && !options.as_hardware
}

/// What a device opened with `options` on this adapter is.
pub fn facts(adapter: &wgpu::Adapter, options: &GpuOptions) -> AdapterInfo {
    let info = adapter.get_info();
    AdapterInfo {
        features: features(adapter, &info, options),
        limits: limits(&required_limits(adapter, options)),
        software: is_software(&info, options),
        driver: format!("{} {}", info.driver, info.driver_info).trim().to_string(),
        backend: info.backend.to_string(),
        name: info.name,
    }
}

fn features(adapter: &wgpu::Adapter, info: &wgpu::AdapterInfo, GpuOptions { without, .. }: &GpuOptions) -> Features {
    let has = adapter.features();
    let subgroups = has.contains(wgpu::Features::SUBGROUP) && !without.subgroups;
    Features {
        f16: has.contains(wgpu::Features::SHADER_F16) && !without.f16,
        subgroups: subgroups.then_some((info.subgroup_min_size, info.subgroup_max_size)),
        // naga lowers dot4I8Packed everywhere, to the hardware's instruction where there is one.
        dot4: !without.dot4,
        timestamps: has.contains(wgpu::Features::TIMESTAMP_QUERY) && !without.timestamps,
    }
}

/// What to ask of the device for these features.
pub fn required_features(features: &Features) -> wgpu::Features {
    let mut wanted = wgpu::Features::empty();
    wanted.set(wgpu::Features::SHADER_F16, features.f16);
    wanted.set(wgpu::Features::SUBGROUP, features.subgroups.is_some());
    wanted.set(wgpu::Features::TIMESTAMP_QUERY, features.timestamps);
    wanted
}

/// What to ask of the device for limits.
pub fn required_limits(adapter: &wgpu::Adapter, options: &GpuOptions) -> wgpu::Limits {
    if options.default_limits {
        return wgpu::Limits { max_buffer_size: Limits::DEFAULT.buffer, ..wgpu::Limits::default() };
    }
    adapter.limits()
}

fn limits(limits: &wgpu::Limits) -> Limits {
    Limits {
        buffer: limits.max_buffer_size,
        binding: limits.max_storage_buffer_binding_size,
        storage_buffers: limits.max_storage_buffers_per_shader_stage,
        workgroup_invocations: limits.max_compute_invocations_per_workgroup,
        workgroup_memory: limits.max_compute_workgroup_storage_size,
        workgroups: limits.max_compute_workgroups_per_dimension,
    }
}

/// The platform's GPU drivers.
#[cfg(any(not(unix), target_vendor = "apple", target_os = "android"))]
fn instance() -> wgpu::Instance {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = wgpu::Backends::PRIMARY;
    wgpu::Instance::new(descriptor)
}

/// The platform's GPU drivers, which here are Vulkan's.
///
/// wgpu would enable Vulkan's extensions for windows. With them Mesa's layer for the choice of a device asks the window system
/// which GPU it draws with, and where there is none, as in a container, libwayland writes `error: XDG_RUNTIME_DIR is invalid`
/// to standard error each time.
#[cfg(all(unix, not(target_vendor = "apple"), not(target_os = "android")))]
fn instance() -> wgpu::Instance {
    use std::ffi::CStr;
    use wgpu::hal::{self, api::Vulkan, vulkan};

    const WINDOW_SYSTEMS: [&CStr; 3] = [c"VK_KHR_wayland_surface", c"VK_KHR_xcb_surface", c"VK_KHR_xlib_surface"];

    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    let hal_descriptor = hal::InstanceDescriptor {
        name: "inglenook",
        flags: descriptor.flags,
        memory_budget_thresholds: descriptor.memory_budget_thresholds,
        backend_options: descriptor.backend_options.clone(),
        telemetry: None,
        display: None,
    };
    let without_windows: Box<vulkan::CreateInstanceCallback<'_>> =
        Box::new(|arguments| arguments.extensions.retain(|name| !WINDOW_SYSTEMS.contains(name)));
    // SAFETY: wgpu-hal looks these extensions up before it makes a surface for a window, and uses them for nothing else; no
    // surface is ever made here. The instance is valid, since it was made just now, and is owned by nobody else.
    #[allow(unsafe_code)]
    let instance = unsafe {
        vulkan::Instance::init_with_callback(&hal_descriptor, Some(without_windows))
            .map(|instance| wgpu::Instance::from_hal::<Vulkan>(instance))
    };
    instance.unwrap_or_else(|_| {
        // No Vulkan on this machine: an instance without adapters.
        descriptor.backends = wgpu::Backends::empty();
        wgpu::Instance::new(descriptor)
    })
}
