// The JavaScript half of the browser's GPU backend; `web.rs` is the Rust half.
//
// The GPU's objects live here, in one table, and Rust names them by number: so a step crosses from WebAssembly to
// JavaScript a constant number of times, however many dispatches it replays. Works in a page, in a worker, and wherever
// else `navigator.gpu` exists (Node sets it from the npm package `webgpu`); hence the flags as numbers below, since their
// named constants are not everywhere.

/** `GPUBufferUsage` */
const MAP_READ = 0x1, COPY_SRC = 0x4, COPY_DST = 0x8, STORAGE = 0x80;
/** `GPUMapMode.READ` */
const MAP_MODE_READ = 0x1;
/** `GPUShaderStage.COMPUTE` */
const COMPUTE_STAGE = 0x4;
/** Larger readback buffers are given back at once; smaller ones wait for the next read of their size. */
const POOLED_BYTES = 1 << 20;
/** Sizes of small ones are powers of two, as in native/read.rs. @param {number} bytes */
const stagingBytes = (bytes) => (bytes > 65536 ? bytes : Math.max(4096, 2 ** Math.ceil(Math.log2(bytes))));
/** Entries a dispatch takes in a recorded pass: pipeline, bind group, and workgroups along x, y and z. */
const STRIDE = 5;
/**
 * Firefox looks for finished work every 100 ms, or when something is submitted (its bug 1870699). There an empty submission
 * every few milliseconds makes it look while somebody waits.
 */
const NUDGED = globalThis.navigator?.userAgent?.includes("Firefox") ?? false;
const NUDGE_MILLISECONDS = 2;
/** Words by which adapters admit that a CPU does the work. */
const SOFTWARE = /swiftshader|llvmpipe|lavapipe|basic render|\bwarp\b/i;
/** What stands in a line before the name of a shader that is fetched on demand, in the place of its text. */
const IMPORT = "#import ";
/** Limits asked for at the adapter's full size. */
const LIMITS = /** @type {const} */ ([
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxStorageBuffersPerShaderStage",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
  "maxComputeWorkgroupSizeY",
  "maxComputeWorkgroupSizeZ",
  "maxComputeWorkgroupStorageSize",
  "maxComputeWorkgroupsPerDimension",
]);

/**
 * @typedef {{ pipeline: GPUComputePipeline, layout: GPUBindGroupLayout }} Kernel
 * @typedef {{ group: GPUBindGroupLayout, pipeline: GPUPipelineLayout }} Layout
 * @typedef {{ staging: GPUBuffer, mapped: Promise<void> }} Read
 * @typedef {any[]} Pass dispatches one after the other, `STRIDE` entries each
 * @typedef {{ f16: boolean, subgroups: [number, number] | null, dot4: boolean, timestamps: boolean }} Features
 */

/**
 * An error that Rust turns into a `GpuError`.
 * @param {"NoWebGpu" | "NoAdapter" | "SoftwareOnly" | "Device" | "OutOfMemory" | "Shaders" | "Compile" | "Lost" | "Fault"} name
 * @param {string} message
 */
function problem(name, message) {
  return Object.assign(new Error(message), { name });
}

/** Fetches the shaders that only some models need: JSON of their texts by name. @type {(() => Promise<string>) | undefined} */
let fetchShaders;
/** Those texts, once a kernel has asked for one. @type {Promise<Record<string, string>> | undefined} */
let shaders;

/** @param {() => Promise<string>} fetch from now on */
export function provideShaders(fetch) {
  fetchShaders = fetch;
}

/**
 * WGSL with the texts of what it imports.
 * @param {string} text
 */
async function withImports(text) {
  try {
    shaders ??= Promise.resolve(fetchShaders?.() ?? "{}").then((json) => JSON.parse(json));
    const texts = await shaders;
    return text.replace(/^#import (.*)\n/gm, (_, name) => {
      if (!(name in texts)) throw new Error(`the shader ${name} is missing: serve all files of one version of the package`);
      return /** @type {string} */ (texts[name]);
    });
  } catch (error) {
    // Whoever asks next tries again.
    shaders = undefined;
    throw problem("Shaders", words(error));
  }
}

/**
 * Opens the browser's adapter.
 * @param {string} options of Rust's `GpuOptions` those that are on, separated by spaces: `default-limits`, `hardware-only`,
 *   `as-hardware`, and `without-` with the name of a feature
 */
export async function requestDevice(options) {
  const wishes = new Set(options.split(" "));
  const gpu = globalThis.navigator?.gpu;
  if (!gpu) throw problem("NoWebGpu", whyNoWebGpu());
  const adapter = await requestAdapter(gpu);
  if (!adapter) throw problem("NoAdapter", "none was offered");
  const about = await describe(adapter, wishes.has("as-hardware"));
  if (wishes.has("hardware-only") && about.software) throw problem("SoftwareOnly", about.name);
  const features = featuresOf(gpu, adapter, about, wishes);
  const raised = Object.fromEntries(LIMITS.map((limit) => [limit, adapter.limits[limit]]));
  const requiredLimits = wishes.has("default-limits") ? {} : raised;
  try {
    const device = await adapter.requestDevice({ requiredFeatures: required(features), requiredLimits });
    // A driver that refuses late gives a device that is lost from the beginning.
    const loss = await Promise.race([device.lost, undefined]);
    if (loss) throw new Error(loss.message || "it was lost at once");
    return new Device(device, JSON.stringify(factsOf(about, device, features))).client();
  } catch (error) {
    throw problem("Device", words(error));
  }
}

function whyNoWebGpu() {
  const { isSecureContext } = globalThis;
  if (isSecureContext === undefined) return "this runtime has no WebGPU of its own; install the npm package webgpu";
  return isSecureContext
    ? "this browser has no WebGPU; use Chrome 113, Safari 26, Firefox 141 or newer, or enable WebGPU in its settings"
    : "this page is no secure context, and browsers have WebGPU only there; serve it from an https: address or from localhost";
}

/**
 * The fast adapter, or whichever there is: some browsers have none for a preference that they cannot meet.
 * @param {GPU} gpu
 * @returns {Promise<GPUAdapter | null>}
 */
async function requestAdapter(gpu) {
  const request = (/** @type {GPURequestAdapterOptions} */ options) => gpu.requestAdapter(options).catch(() => null);
  return (await request({ powerPreference: "high-performance" })) ?? request({});
}

/**
 * @typedef {{ name: string, architecture: string, software: boolean, subgroups: [number, number] }} About
 * @param {GPUAdapter} adapter
 * @param {boolean} asHardware tell of no adapter that it is software
 * @returns {Promise<About>}
 */
async function describe(adapter, asHardware) {
  const old = /** @type {any} */ (adapter);
  // Chrome has `info` from 127 on, and before that a method; who has neither says nothing.
  const info = adapter.info ?? (await old.requestAdapterInfo?.().catch(() => undefined)) ?? {};
  const { vendor = "", architecture = "", device: chip = "", description = "" } = info;
  const { subgroupMinSize = 4, subgroupMaxSize = 128 } = info;
  const fallback = info.isFallbackAdapter ?? old.isFallbackAdapter ?? false;
  return {
    name: description || [vendor, chip || architecture].filter(Boolean).join(" ") || "an unnamed adapter",
    architecture,
    software: !asHardware && (fallback || SOFTWARE.test([vendor, architecture, chip, description].join(" "))),
    subgroups: [subgroupMinSize, subgroupMaxSize],
  };
}

/**
 * @param {GPU} gpu
 * @param {GPUAdapter} adapter
 * @param {About} about
 * @param {Set<string>} wishes
 * @returns {Features}
 */
function featuresOf(gpu, adapter, about, wishes) {
  const has = (/** @type {string} */ feature, /** @type {string} */ name) =>
    adapter.features.has(feature) && !wishes.has(`without-${name}`);
  const dot4 = gpu.wgslLanguageFeatures?.has("packed_4x8_integer_dot_product") ?? false;
  return {
    f16: has("shader-f16", "f16"),
    subgroups: has("subgroups", "subgroups") ? about.subgroups : null,
    dot4: dot4 && !wishes.has("without-dot4"),
    timestamps: has("timestamp-query", "timestamps"),
  };
}

/** @param {Features} features */
function required(features) {
  /** @type {GPUFeatureName[]} */
  const names = [];
  if (features.f16) names.push("shader-f16");
  if (features.subgroups) names.push("subgroups");
  if (features.timestamps) names.push("timestamp-query");
  return names;
}

/**
 * The fields of Rust's `AdapterInfo`.
 * @param {About} about
 * @param {GPUDevice} device
 * @param {Features} features
 */
function factsOf({ name, architecture, software }, { limits }, features) {
  return {
    name,
    backend: "webgpu",
    driver: architecture,
    software,
    features,
    limits: {
      buffer: limits.maxBufferSize,
      binding: limits.maxStorageBufferBindingSize,
      storage_buffers: limits.maxStorageBuffersPerShaderStage,
      workgroup_invocations: limits.maxComputeInvocationsPerWorkgroup,
      workgroup_memory: limits.maxComputeWorkgroupStorageSize,
      workgroups: limits.maxComputeWorkgroupsPerDimension,
    },
  };
}

/** An opened device: what its clients share. */
class Device {
  /** Rust's `AdapterInfo` as JSON. */
  facts;
  /** @type {GPUDevice} */
  gpu;
  /** What ended every client: the device's loss, or an error that is no client's. @type {Error | undefined} */
  fault;
  /** What all clients have made, by number: one's passes may use another's buffers. @type {Map<number, any>} */
  objects = new Map();
  #lastId = 0;
  /** By access list. @type {Map<string, Layout>} */
  #layouts = new Map();
  /** Clients that are not closed. */
  #clients = 0;

  /**
   * @param {GPUDevice} gpu
   * @param {string} facts
   */
  constructor(gpu, facts) {
    this.gpu = gpu;
    this.facts = facts;
    gpu.onuncapturederror = ({ error }) => (this.fault ??= faultOf(error));
    // A device that was closed keeps the reason given by `leave`.
    gpu.lost.then(({ message, reason }) => (this.fault ??= problem("Lost", message || String(reason))));
  }

  client() {
    this.#clients += 1;
    return new Client(this);
  }

  /** @param {unknown} object */
  keep(object) {
    this.#lastId += 1;
    this.objects.set(this.#lastId, object);
    return this.#lastId;
  }

  /** Counts a client less; the last one takes the device with it. */
  leave() {
    this.#clients -= 1;
    if (this.#clients > 0) return;
    this.fault ??= closed();
    this.#layouts.clear();
    this.gpu.destroy();
  }

  /** @param {string} access */
  layout(access) {
    const known = this.#layouts.get(access);
    if (known) return known;
    const entries = [...access].map((letter, binding) => {
      const type = /** @type {GPUBufferBindingType} */ (letter === "r" ? "read-only-storage" : "storage");
      return { binding, visibility: COMPUTE_STAGE, buffer: { type } };
    });
    const group = this.gpu.createBindGroupLayout({ entries });
    const layout = { group, pipeline: this.gpu.createPipelineLayout({ bindGroupLayouts: [group] }) };
    this.#layouts.set(access, layout);
    return layout;
  }
}

/** One of those that share a device, with everything it has made. Its faults and its end are its own. */
class Client {
  /** Readback buffers created so far. */
  stagings = 0;
  #shared;
  #device;
  /** This client's first fault. @type {Error | undefined} */
  #fault;
  #isClosed = false;
  /** What it has made, by number. @type {Set<number>} */
  #own = new Set();
  /** Readback buffers not in use, by size. @type {Map<number, GPUBuffer[]>} */
  #idle = new Map();
  /** Waits under way, and the timer that hastens them. */
  #waits = 0;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #nudges;
  /** Error scopes not yet answered. @type {Set<Promise<void>>} */
  #scopes = new Set();

  /** @param {Device} shared */
  constructor(shared) {
    this.#shared = shared;
    this.#device = shared.gpu;
  }

  /** Another client of the same device. */
  client() {
    return this.#shared.client();
  }

  /**
   * Whether another client is of the same device.
   * @param {Client} other
   */
  isBeside(other) {
    return this.#shared === other.#shared;
  }

  /** Rust's `AdapterInfo` as JSON. */
  get facts() {
    return this.#shared.facts;
  }

  /** The client's first fault, or what ended every client, if either was noticed. */
  get fault() {
    return this.#fault ?? this.#shared.fault;
  }

  /**
   * Creates a zero-filled storage buffer.
   * @param {string} label
   * @param {number} size in bytes
   */
  buffer(label, size) {
    const usage = STORAGE | COPY_SRC | COPY_DST;
    return this.#keep(this.#checked(() => this.#device.createBuffer({ label, size, usage })));
  }

  /**
   * Writes `data`, which the queue copies before this returns.
   * @param {number} buffer
   * @param {number} offset in bytes
   * @param {Uint8Array<ArrayBuffer>} data a view of WebAssembly's memory
   */
  write(buffer, offset, data) {
    try {
      this.#checked(() => this.#device.queue.writeBuffer(this.#shared.objects.get(buffer), offset, data));
    } catch (error) {
      this.#note(problem("Fault", words(error)));
    }
  }

  /**
   * Starts to compile one kernel; its number comes when the browser's compiler is done. Calls run side by side.
   * @param {string} label
   * @param {string} text WGSL whose entry point is `main`, with imports of shaders that are fetched on demand
   * @param {string} keys names of `override` constants, separated by spaces
   * @param {Float64Array} values of these constants
   * @param {string} access of the bindings of group 0: `r` reads, `w` writes
   * @returns {Promise<number>}
   */
  async compile(label, text, keys, values, access) {
    const layout = this.#checked(() => this.#shared.layout(access));
    // `values` are WebAssembly's memory, which is another's by the time that texts have come.
    const constants = keys ? Object.fromEntries(keys.split(" ").map((key, index) => [key, values[index]])) : {};
    const code = text.includes(IMPORT) ? await withImports(text) : text;
    this.#device.pushErrorScope("validation");
    const module = this.#device.createShaderModule({ label, code });
    // The pipeline is refused for the same reason; the scope only keeps a bad module from counting as a fault.
    const answered = this.#device.popErrorScope().catch(() => null);
    try {
      const compute = { module, entryPoint: "main", constants };
      const pipeline = await this.#device.createComputePipelineAsync({ label, layout: layout.pipeline, compute });
      // A lost device compiles everything.
      if (this.fault) throw this.fault;
      return this.#keep({ pipeline, layout: layout.group });
    } catch (error) {
      const refusal = (await answered)?.message ?? words(error);
      throw this.fault ?? problem("Compile", (await complaints(module)) || refusal);
    }
  }

  /**
   * Records dispatches and creates their bind groups.
   * @param {Float64Array} list of each dispatch: kernel, workgroups along x, y and z, number of bindings, and of each
   *   binding its buffer, first byte and length in bytes
   */
  pass(list) {
    return this.#keep(this.#checked(() => this.#record(list)));
  }

  /** @param {Float64Array} list */
  #record(list) {
    /** @type {Pass} */
    const pass = [];
    let at = 0;
    const take = () => /** @type {number} */ (list[at++]);
    while (at < list.length) {
      const kernel = /** @type {Kernel | undefined} */ (this.#shared.objects.get(take()));
      const workgroups = [take(), take(), take()];
      const count = take();
      const entries = Array.from({ length: count }, (_, binding) => {
        const resource = { buffer: this.#shared.objects.get(take()), offset: take(), size: take() };
        return { binding, resource };
      });
      // Nothing is left to bind on a device that was closed.
      if (!kernel) continue;
      const group = this.#device.createBindGroup({ layout: kernel.layout, entries });
      pass.push(kernel.pipeline, group, ...workgroups);
    }
    return pass;
  }

  /**
   * Replays passes in order in one compute pass and one submission.
   * @param {Uint32Array} passes
   */
  submit(passes) {
    this.#checked(() => this.#device.queue.submit([this.#encode(passes).finish()]));
  }

  /**
   * Copies ranges between buffers, in one submission.
   * @param {Float64Array} list of each range: its buffer and first byte, the buffer and first byte it goes to, its length in bytes
   */
  copy(list) {
    this.#checked(() => {
      const encoder = this.#device.createCommandEncoder();
      for (let at = 0; at < list.length; at += 5) {
        const [from, fromOffset, to, toOffset, bytes] = /** @type {any} */ (list.subarray(at, at + 5));
        const [source, target] = [this.#shared.objects.get(from), this.#shared.objects.get(to)];
        // Nothing is left to copy on a device that was closed.
        if (source && target) encoder.copyBufferToBuffer(source, fromOffset, target, toOffset, bytes);
      }
      this.#device.queue.submit([encoder.finish()]);
    });
  }

  /**
   * Replays passes, then copies a range of a buffer back, in one submission.
   * @param {Uint32Array} passes
   * @param {number} buffer
   * @param {number} start in bytes
   * @param {number} bytes
   * @returns {number} of the read
   */
  submitAndRead(passes, buffer, start, bytes) {
    const source = this.#shared.objects.get(buffer);
    if (!source) return this.#keep({ mapped: rejected(this.fault ?? problem("Lost", "its buffer is gone")) });
    const staging = this.#staging(stagingBytes(bytes));
    this.#checked(() => {
      const encoder = this.#encode(passes);
      encoder.copyBufferToBuffer(source, start, staging, 0, bytes);
      this.#device.queue.submit([encoder.finish()]);
    });
    const mapped = this.#map(staging);
    // A read that nobody waits for may fail in silence.
    mapped.catch(() => {});
    return this.#keep({ staging, mapped });
  }

  /** @param {GPUBuffer} staging */
  async #map(staging) {
    // Bytes alone do not tell that a submission was refused.
    const checks = [...this.#scopes];
    await this.#hastened(staging.mapAsync(MAP_MODE_READ)).catch((error) => {
      throw this.fault ?? problem("Lost", words(error));
    });
    await Promise.all(checks);
  }

  /**
   * Resolves when a read's bytes can be taken.
   * @param {number} read
   * @returns {Promise<void>}
   */
  mapped(read) {
    return /** @type {Read} */ (this.#shared.objects.get(read))?.mapped ?? rejected(this.fault ?? problem("Lost", "closed"));
  }

  /**
   * Copies a read's bytes out, once it is mapped, and forgets it.
   * @param {number} read
   * @param {Uint8Array} into a view of WebAssembly's memory
   */
  take(read, into) {
    const { staging } = /** @type {Read} */ (this.#shared.objects.get(read));
    into.set(new Uint8Array(staging.getMappedRange(0, into.length)));
    this.release(read);
  }

  /**
   * Forgets an object. A buffer's memory is given back at once, a read's returns to the pool.
   * @param {number} id
   */
  release(id) {
    const object = this.#shared.objects.get(id);
    this.#shared.objects.delete(id);
    this.#own.delete(id);
    object?.destroy?.();
    if (!object?.staging) return;
    // Cancels a mapping still under way; the copy before it is harmless, since the queue keeps its order.
    object.staging.unmap();
    const { size } = object.staging;
    if (size > POOLED_BYTES) object.staging.destroy();
    else this.#idle.set(size, [...(this.#idle.get(size) ?? []), object.staging]);
  }

  /** Waits for all that was submitted; rejects with the first fault. */
  async waitIdle() {
    const done = this.#hastened(this.#device.queue.onSubmittedWorkDone());
    await Promise.all([...this.#scopes, done.catch(() => {})]);
    if (this.fault) throw this.fault;
  }

  /** Gives all memory of this client back. What comes later fails as on a lost device. */
  close() {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#note(closed());
    for (const id of this.#own) {
      const object = this.#shared.objects.get(id);
      object.destroy?.();
      object.staging?.destroy();
      this.#shared.objects.delete(id);
    }
    for (const staging of [...this.#idle.values()].flat()) staging.destroy();
    this.#own.clear();
    this.#idle.clear();
    this.#shared.leave();
  }

  /** @param {Uint32Array} passes */
  #encode(passes) {
    const encoder = this.#device.createCommandEncoder();
    if (passes.length === 0) return encoder;
    const compute = encoder.beginComputePass();
    for (const id of passes) {
      const pass = /** @type {Pass} */ (this.#shared.objects.get(id) ?? []);
      for (let at = 0; at < pass.length; at += STRIDE) {
        compute.setPipeline(pass[at]);
        compute.setBindGroup(0, pass[at + 1]);
        compute.dispatchWorkgroups(pass[at + 2], pass[at + 3], pass[at + 4]);
      }
    }
    compute.end();
    return encoder;
  }

  /** @param {number} size in bytes */
  #staging(size) {
    const idle = this.#idle.get(size)?.pop();
    if (idle) return idle;
    this.stagings += 1;
    return this.#checked(() => this.#device.createBuffer({ label: "staging", size, usage: MAP_READ | COPY_DST }));
  }

  /** @param {unknown} object */
  #keep(object) {
    const id = this.#shared.keep(object);
    this.#own.add(id);
    return id;
  }

  /**
   * The promise of work being done, where need be hastened.
   * @template T
   * @param {Promise<T>} promise
   */
  async #hastened(promise) {
    if (!NUDGED) return promise;
    this.#waits += 1;
    this.#nudges ??= setInterval(() => this.#device.queue.submit([]), NUDGE_MILLISECONDS);
    try {
      return await promise;
    } finally {
      this.#waits -= 1;
      if (this.#waits === 0) {
        clearInterval(this.#nudges);
        this.#nudges = undefined;
      }
    }
  }

  /**
   * Makes a call whose errors become this client's fault before a later read or `waitIdle` is over.
   * @template T
   * @param {() => T} call
   * @returns {T}
   */
  #checked(call) {
    this.#device.pushErrorScope("out-of-memory");
    this.#device.pushErrorScope("validation");
    try {
      return call();
    } finally {
      this.#watch(this.#device.popErrorScope());
      this.#watch(this.#device.popErrorScope());
    }
  }

  /** @param {Promise<GPUError | null>} scope */
  #watch(scope) {
    const answered = scope.then((error) => error && this.#note(faultOf(error))).catch(() => {});
    const done = answered.then(() => void this.#scopes.delete(done));
    this.#scopes.add(done);
  }

  /** @param {Error} fault */
  #note(fault) {
    this.#fault ??= fault;
  }
}

/** The error of whatever is asked of what was closed. */
function closed() {
  return problem("Lost", "it was closed");
}

/** @param {GPUError} error */
function faultOf(error) {
  return problem(error.constructor.name === "GPUOutOfMemoryError" ? "OutOfMemory" : "Fault", error.message);
}

/**
 * What the compiler holds against a shader, a line each.
 * @param {GPUShaderModule} module
 */
async function complaints(module) {
  const { messages } = await module.getCompilationInfo();
  const errors = messages.filter(({ type }) => type === "error");
  return errors.map(({ lineNum, linePos, message }) => `${lineNum}:${linePos} ${message}`).join("\n");
}

/**
 * A rejected promise that may stay unheard.
 * @param {Error} error
 * @returns {Promise<void>}
 */
function rejected(error) {
  const promise = Promise.reject(error);
  promise.catch(() => {});
  return promise;
}

/** @param {unknown} error */
function words(error) {
  return error instanceof Error ? error.message : String(error);
}
