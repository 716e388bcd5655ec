/** Facts on a loaded model and the device that it runs on. */

/** What the model file says. */
export interface ModelInfo {
  readonly name: string;
  /** Such as `llama`, `qwen2`, `qwen3`. */
  readonly architecture: string;
  /** Number of weights. */
  readonly parameters: number;
  /** Longest context of this engine, in tokens. */
  readonly contextLength: number;
  /** Longest context that the model was trained for, in tokens. */
  readonly trainedContextLength: number;
  /** Such as `Q4_K`, `Q6_K`, `F32`, the most frequent first. */
  readonly weightTypes: readonly string[];
  /** What it is for: `generate` answers, `embed` texts or `rank` them, or `draft` for another model, beside which alone it runs. */
  readonly purpose: 'generate' | 'embed' | 'rank' | 'draft';
  /** Whether it has a chat template, without which it can only continue a text. */
  readonly chat: boolean;
  /** Sampling that the file recommends, which is the default of each request. */
  readonly recommended: {
    readonly temperature: number | null;
    readonly top_k: number | null;
    readonly top_p: number | null;
    readonly min_p: number | null;
  };
}

/** What the GPU says, or that there is the CPU. */
export interface AdapterInfo {
  readonly name: string;
  /** `webgpu` or `cpu`. */
  readonly backend: string;
  readonly driver: string;
  /** Whether it is a program on the CPU that only acts as a GPU. */
  readonly software: boolean;
  /** Those that make a difference here, such as `shader-f16` and `subgroups`. */
  readonly features: readonly string[];
  /** By their names in WebGPU. */
  readonly limits: Readonly<Record<string, number>>;
}

/** Weights that devices multiply in a second as they decode, where `device: 'auto'` measured it. */
export interface MeasuredInfo {
  readonly gpu: number;
  /** `null` where the GPU is faster than any CPU, or the CPU could not be measured. */
  readonly cpu: number | null;
}

/** Device memory by use, in bytes. */
export interface MemoryInfo {
  readonly weights: number;
  readonly kvCache: number;
  readonly activations: number;
}

/** The CPU's threads, where that runs the model. */
export interface ThreadsInfo {
  readonly count: number;
  /** How they exchange what they compute: through memory that they share, or by messages. */
  readonly exchange: 'memory' | 'messages' | 'none';
  /** Why they are not as many as were asked for. */
  readonly note?: string;
}

/** Which variant of a kernel was chosen for this device. */
export interface KernelChoice {
  readonly kernel: string;
  readonly class: string;
  readonly variant: string;
  /** Variants that gave a wrong answer on this device, and are therefore not used. */
  readonly wrong: readonly string[];
}

/** Everything known once a model is loaded. */
export interface EngineInfo {
  readonly model: ModelInfo;
  readonly adapter: AdapterInfo;
  /** Why it runs there: "no GPU: no adapter was found", "the GPU computes 3.0 thousand million weights a second, the CPU 16". */
  readonly reason: string;
  /** What was measured to choose the device; not there where nothing was. */
  readonly measured?: MeasuredInfo;
  readonly memory: MemoryInfo;
  readonly kernels: readonly KernelChoice[];
  /** Not there where the model runs on a GPU. */
  readonly threads?: ThreadsInfo;
  /**
   * Where the forms of answers are compiled: in a worker of their own, or `inline`, in the engine's thread, where other answers wait
   * meanwhile.
   */
  readonly grammars: 'worker' | 'inline';
}

/** GPU counters since loading: dispatches, submits, readbacks, objects created, and the like. */
export type Counters = Readonly<Record<string, number>>;
