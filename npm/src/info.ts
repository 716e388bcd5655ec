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
  /** Such as `Q4_K`, `Q6_K`, `F32`. */
  readonly weightTypes: readonly string[];
}

/** What the GPU says. */
export interface AdapterInfo {
  readonly name: string;
  readonly backend: string;
  /** Whether it is a program on the CPU that only acts as a GPU. */
  readonly software: boolean;
  readonly features: readonly string[];
  readonly limits: Readonly<Record<string, number>>;
}

/** Everything known once a model is loaded. */
export interface EngineInfo {
  readonly model: ModelInfo;
  readonly adapter: AdapterInfo;
}

/** GPU counters since loading: dispatches, submits, readbacks, objects created, and the like. */
export type Counters = Readonly<Record<string, number>>;
