/** Every error of this package: one class a cause, a stable `code`, and a message that says what to do. */

/** What the `code` of an {@link InglenookError} can be. */
export type ErrorCode =
  | 'Deployment'
  | 'NoWebGpu'
  | 'NoAdapter'
  | 'TooSmall'
  | 'BadFile'
  | 'Unsupported'
  | 'Download'
  | 'Aborted'
  | 'WrongAnswer'
  | 'Lost'
  | 'OutOfMemory'
  | 'BadRequest'
  | 'Busy'
  | 'Closed'
  | 'Internal';

/** What all errors of this package have in common. */
export abstract class InglenookError extends Error {
  abstract override readonly name: string;
  /** Stable across versions: what a program should decide by. */
  abstract readonly code: ErrorCode;
}

/**
 * The package cannot run as it is deployed: a file of it is missing, the page's policy or address stands in the way, or the browser
 * is too old. The message names what to change.
 */
export class DeploymentError extends InglenookError {
  override readonly name = 'DeploymentError' as const;
  readonly code = 'Deployment' as const;
}

/** This browser or runtime has no WebGPU. */
export class NoWebGpuError extends InglenookError {
  override readonly name = 'NoWebGpuError' as const;
  readonly code = 'NoWebGpu' as const;
}

/** WebGPU is there, but no GPU that it could use. */
export class NoAdapterError extends InglenookError {
  override readonly name = 'NoAdapterError' as const;
  readonly code = 'NoAdapter' as const;
}

/** The GPU cannot hold this model or this context. */
export class AdapterTooSmallError extends InglenookError {
  override readonly name = 'AdapterTooSmallError' as const;
  readonly code = 'TooSmall' as const;
}

/** Wrong numbers: the GPU failed the checks that every kernel has to pass before it may answer, or a model computed NaN or infinity. */
export class WrongAnswerError extends InglenookError {
  override readonly name = 'WrongAnswerError' as const;
  readonly code = 'WrongAnswer' as const;
}

/** The file is no model, is damaged, or changed while it was read. */
export class BadFileError extends InglenookError {
  override readonly name = 'BadFileError' as const;
  readonly code = 'BadFile' as const;
}

/** A well-formed file or request that asks for what this version cannot do, named in the message. */
export class UnsupportedError extends InglenookError {
  override readonly name = 'UnsupportedError' as const;
  readonly code = 'Unsupported' as const;
}

/** The file could not be fetched, or not to its end. */
export class DownloadError extends InglenookError {
  override readonly name = 'DownloadError' as const;
  readonly code = 'Download' as const;
}

/** The caller's `AbortSignal` ended it. The name is the platform's own, so that usual checks for it work. */
export class AbortedError extends InglenookError {
  override readonly name = 'AbortError' as const;
  readonly code = 'Aborted' as const;
}

/** The GPU device was lost: a driver reset, sleep, or another program's doing. */
export class DeviceLostError extends InglenookError {
  override readonly name = 'DeviceLostError' as const;
  readonly code = 'Lost' as const;
}

/** Memory ran out, on the GPU or here. */
export class OutOfMemoryError extends InglenookError {
  override readonly name = 'OutOfMemoryError' as const;
  readonly code = 'OutOfMemory' as const;
}

/** The caller's arguments are at fault. */
export class BadRequestError extends InglenookError {
  override readonly name = 'BadRequestError' as const;
  readonly code = 'BadRequest' as const;
}

/** What an error is made with beside its message. */
export interface ErrorDetails extends ErrorOptions {
  readonly retryAfterMs?: number | undefined;
}

/** As many requests wait as may. */
export class BusyError extends InglenookError {
  override readonly name = 'BusyError' as const;
  readonly code = 'Busy' as const;
  /** When one of them will probably have begun, in milliseconds from now. */
  readonly retryAfterMs: number;

  constructor(message: string, details: ErrorDetails = {}) {
    super(message, details);
    this.retryAfterMs = details.retryAfterMs ?? 0;
  }
}

/** The engine was closed before, or while, this was asked of it. */
export class EngineClosedError extends InglenookError {
  override readonly name = 'EngineClosedError' as const;
  readonly code = 'Closed' as const;
}

/** A fault of inglenook itself. */
export class InternalError extends InglenookError {
  override readonly name = 'InternalError' as const;
  readonly code = 'Internal' as const;
}

const CLASSES: Record<ErrorCode, new (message: string, details?: ErrorDetails) => InglenookError> = {
  Deployment: DeploymentError,
  NoWebGpu: NoWebGpuError,
  NoAdapter: NoAdapterError,
  TooSmall: AdapterTooSmallError,
  BadFile: BadFileError,
  Unsupported: UnsupportedError,
  Download: DownloadError,
  Aborted: AbortedError,
  WrongAnswer: WrongAnswerError,
  Lost: DeviceLostError,
  OutOfMemory: OutOfMemoryError,
  BadRequest: BadRequestError,
  Busy: BusyError,
  Closed: EngineClosedError,
  Internal: InternalError,
};

/** An error as it crosses from the worker to the page: structured clone would drop its class. */
export interface WireError {
  readonly code: ErrorCode;
  readonly message: string;
  /** Of a {@link BusyError}. */
  readonly retryAfterMs?: number;
}

/** The error behind a wire error, of the class that its code names. */
export function fromWire(error: WireError): InglenookError {
  return new CLASSES[error.code](error.message, { retryAfterMs: error.retryAfterMs });
}

/** Whatever was thrown, as plain data. What nobody foresaw is `Internal`. */
export function toWire(thrown: unknown): WireError {
  const error = toInglenookError(thrown);
  const wire = { code: error.code, message: error.message };
  return error instanceof BusyError ? { ...wire, retryAfterMs: error.retryAfterMs } : wire;
}

/** Whatever was thrown, as one of this package's errors: the wasm module's carry the code as their `name`. */
export function toInglenookError(thrown: unknown): InglenookError {
  if (thrown instanceof InglenookError) return thrown;
  const { name, message, retryAfterMs } = describe(thrown);
  if (isCode(name)) return new CLASSES[name](message, { cause: thrown, retryAfterMs });
  if (name === 'AbortError') return new AbortedError('The request was aborted.', { cause: thrown });
  return new InternalError(
    `The engine failed in a way it should not (${name}: ${message}). Close it and create a new one; if it happens again, please report it.`,
    { cause: thrown },
  );
}

function describe(thrown: unknown): { name: string; message: string; retryAfterMs?: number } {
  // Not `instanceof Error`: what comes from another realm fails that test.
  if (typeof thrown === 'object' && thrown !== null && 'message' in thrown) {
    const described = { name: 'name' in thrown ? String(thrown.name) : 'Error', message: String(thrown.message) };
    return 'retryAfterMs' in thrown ? { ...described, retryAfterMs: Number(thrown.retryAfterMs) } : described;
  }
  return { name: 'Error', message: String(thrown) };
}

function isCode(name: string): name is ErrorCode {
  return Object.hasOwn(CLASSES, name);
}
