/** What both entries export beside `createEngine`. */

export type { ChatStream } from './chat-stream.js';
export type { CreateEngineOptions } from './create-engine.js';
export type { ChatCompletions, Engine } from './engine.js';
export {
  AbortedError,
  AdapterTooSmallError,
  BadFileError,
  BadRequestError,
  DeviceLostError,
  DownloadError,
  EngineClosedError,
  type ErrorCode,
  InglenookError,
  InternalError,
  NoAdapterError,
  NoWebGpuError,
  OutOfMemoryError,
  UnsupportedError,
  WrongAnswerError,
} from './errors.js';
export type { AdapterInfo, Counters, EngineInfo, KernelChoice, MemoryInfo, ModelInfo } from './info.js';
export type {
  ChatCompletion,
  ChatCompletionChunk,
  ChatCompletionRequest,
  ChatMessage,
  FinishReason,
  TextPart,
  Timings,
  Tool,
  ToolCall,
  ToolChoice,
  Usage,
} from './openai/types.js';
export type { LoadProgress } from './progress.js';
export type { GpuFeature } from './protocol.js';
