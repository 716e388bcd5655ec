// The ground everything else stands on: an adapter, a device, and a kernel whose results are right.

const KERNEL = /* wgsl */ `
@group(0) @binding(0) var<storage, read_write> values: array<u32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x < arrayLength(&values)) {
    values[id.x] = values[id.x] * values[id.x] + id.x;
  }
}`;

/** Not a multiple of the workgroup's size, so that the last workgroup is partly idle. */
const COUNT = 1757;

/** @param {import("../lib/harness.mjs").Check} t */
export default async function (t) {
  const adapter = await navigator.gpu.requestAdapter();
  if (!adapter) throw new Error("no WebGPU adapter");
  const { vendor, architecture, device: chip, description } = adapter.info;
  t.note("adapter", [vendor, architecture, chip, description].filter(Boolean).join(" / "));
  t.note("features", [...adapter.features].sort().join(" "));
  t.note("wgsl", [...navigator.gpu.wgslLanguageFeatures].sort().join(" "));
  const { maxBufferSize, maxStorageBufferBindingSize, maxStorageBuffersPerShaderStage } = adapter.limits;
  t.note("limits", { maxBufferSize, maxStorageBufferBindingSize, maxStorageBuffersPerShaderStage });

  const device = await adapter.requestDevice();
  const input = Uint32Array.from({ length: COUNT }, (_, i) => 3 * i + 1);
  const output = await square(device, input);
  const expected = input.map((value, i) => value * value + i);
  t.equal([...output], [...expected], "the kernel's results");
  device.destroy();
}

/**
 * @param {GPUDevice} device
 * @param {Uint32Array<ArrayBuffer>} input
 */
async function square(device, input) {
  const size = input.byteLength;
  const values = device.createBuffer({
    size,
    usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC,
  });
  const readback = device.createBuffer({ size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  device.queue.writeBuffer(values, 0, input);
  const module = device.createShaderModule({ code: KERNEL });
  const pipeline = await device.createComputePipelineAsync({ layout: "auto", compute: { module } });
  const layout = pipeline.getBindGroupLayout(0);
  const bindings = device.createBindGroup({ layout, entries: [{ binding: 0, resource: { buffer: values } }] });
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, bindings);
  pass.dispatchWorkgroups(Math.ceil(input.length / 64));
  pass.end();
  encoder.copyBufferToBuffer(values, 0, readback, 0, size);
  device.queue.submit([encoder.finish()]);
  await readback.mapAsync(GPUMapMode.READ);
  return new Uint32Array(readback.getMappedRange().slice(0));
}
