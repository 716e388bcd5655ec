/** What both entries export beside `createEngine`. */

export type { ChatCompletions } from './chat-completions.js';
export type { ChatStream } from './chat-stream.js';
export type { CreateEngineOptions } from './create-engine.js';
export type {
  Embedding,
  EmbeddingRequest,
  EmbeddingResponse,
  Embeddings,
  RerankRequest,
  RerankResponse,
} from './embeddings.js';
export type { AdapterSource, Engine, TokenizeOptions, TokenWithOffsets } from './engine.js';
export {
  AbortedError,
  AdapterTooSmallError,
  BadFileError,
  BadRequestError,
  BusyError,
  DeploymentError,
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
export type {
  AdapterInfo,
  Counters,
  EngineInfo,
  KernelChoice,
  MeasuredInfo,
  MemoryInfo,
  ModelInfo,
  ThreadsInfo,
} from './info.js';
export type { InspectOptions, ModelInspection, ModelOutlook } from './inspect.js';
export type { ContentFilter, Segment } from './openai/content-filter.js';
export type { ContentRule } from './openai/content-rules.js';
export { MessageBuilder } from './openai/delta.js';
export type {
  AudioPart,
  ChatMessage,
  ContentPart,
  FilePart,
  ImagePart,
  ReasoningPart,
  RefusalPart,
  TextPart,
  ThinkingPart,
} from './openai/messages.js';
export type { JsonSchemaFormat, ResponseFormat } from './openai/response-format.js';
export type { NamedTool, Tool, ToolCall, ToolChoice, ToolOptions } from './openai/tools.js';
export type {
  AdapterChoice,
  AssistantMessage,
  ChatCompletion,
  ChatCompletionChunk,
  ChatCompletionRequest,
  Delta,
  FinishReason,
  MalformedToolCall,
  NeutralOptions,
  ReasoningEffort,
  ReasoningOptions,
  Timings,
  ToolCallDelta,
  Truncated,
  Usage,
} from './openai/types.js';
export type { PageStoreOptions } from './page-store.js';
export type { LoadProgress } from './progress.js';
export type { GpuFeature, KvType } from './protocol.js';
export { type CreateStream, type RunnableTool, type RunToolsRequest, ToolRun, type ToolRunEvent } from './run-tools.js';
