import { afterEach, describe, expect, test, vi } from 'vitest';
import { compileAsset, deploymentCause, fetchAsset } from './deployment.js';
import { DeploymentError, DownloadError, NoWebGpuError, UnsupportedError } from './errors.js';

const URL_OF_IT = 'https://app.example/inglenook/inglenook.wasm';
/** A module with nothing in it. */
const EMPTY = new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
const asWasm = { headers: { 'content-type': 'application/wasm' } };

afterEach(() => vi.unstubAllGlobals());

function serve(...answers: (() => Response)[]): void {
  let asked = 0;
  vi.stubGlobal('fetch', async () => {
    const next = answers[Math.min(asked, answers.length - 1)];
    asked += 1;
    return next?.();
  });
}

describe('a file of the package', () => {
  test.each([404, 403, 410, 401])('with the status %i is a deployment fault that names the file', async (status) => {
    serve(() => new Response('', { status }));
    await expect(fetchAsset(URL_OF_IT)).rejects.toBeInstanceOf(DeploymentError);
    await expect(fetchAsset(URL_OF_IT)).rejects.toThrow(`HTTP ${status} for ${URL_OF_IT}`);
  });

  test.each([500, 503, 429, 408])('with the status %i can be tried again', async (status) => {
    serve(() => new Response('', { status }));
    await expect(fetchAsset(URL_OF_IT)).rejects.toBeInstanceOf(DownloadError);
  });

  test('that is answered with a page is not where it should be', async () => {
    serve(() => new Response('<!doctype html>', { headers: { 'content-type': 'text/html; charset=utf-8' } }));
    await expect(fetchAsset(URL_OF_IT)).rejects.toThrow('text/html');
  });

  test('beside a page that was opened as a file asks for a server', async () => {
    vi.stubGlobal('fetch', () => Promise.reject(new TypeError('Failed to fetch')));
    const fetching = fetchAsset('file:///home/user/site/inglenook/inglenook.wasm');
    await expect(fetching).rejects.toBeInstanceOf(DeploymentError);
    await expect(fetching).rejects.toThrow('opened as a file');
  });

  test.each([
    [URL_OF_IT, 'connect-src', 'Add https://app.example to its connect-src'],
    ['https://app.example', 'default-src', 'Add https://app.example to its default-src'],
    ['https://elsewhere.example/logo.png', 'img-src', 'Check the connection'],
    ['inline', 'script-src-elem', 'Check the connection'],
  ])(
    'with a violation of %s names the directive if it is about the file',
    async (blockedURI, effectiveDirective, message) => {
      const target = new EventTarget();
      vi.stubGlobal('addEventListener', target.addEventListener.bind(target));
      vi.stubGlobal('removeEventListener', target.removeEventListener.bind(target));
      vi.stubGlobal('fetch', async () => {
        setTimeout(() =>
          target.dispatchEvent(Object.assign(new Event('securitypolicyviolation'), { blockedURI, effectiveDirective })),
        );
        throw new TypeError('Failed to fetch');
      });
      await expect(fetchAsset(URL_OF_IT)).rejects.toThrow(message);
    },
  );

  test('that cannot be reached can be tried again', async () => {
    vi.stubGlobal('fetch', () => Promise.reject(new TypeError('Failed to fetch')));
    await expect(fetchAsset(URL_OF_IT)).rejects.toBeInstanceOf(DownloadError);
  });
});

describe('a module', () => {
  test.each(['application/wasm', 'application/octet-stream', 'text/plain'])('compiles as %s', async (type) => {
    serve(() => new Response(EMPTY, { headers: { 'content-type': type } }));
    expect(await compileAsset(URL_OF_IT)).toBeInstanceOf(WebAssembly.Module);
  });

  test('without a type compiles', async () => {
    serve(() => new Response(EMPTY));
    expect(await compileAsset(URL_OF_IT)).toBeInstanceOf(WebAssembly.Module);
  });

  test('whose stream broke is fetched once more', async () => {
    const broken = new ReadableStream({ start: (controller) => controller.error(new TypeError('cut')) });
    serve(
      () => new Response(broken, asWasm),
      () => new Response(EMPTY, asWasm),
    );
    expect(await compileAsset(URL_OF_IT)).toBeInstanceOf(WebAssembly.Module);
  });

  test.each([
    ['version https://git-lfs.github.com/spec/v1', 'is no WebAssembly'],
    ['\u001f\u008b\b', 'is no WebAssembly'],
    ['', 'is no WebAssembly'],
    ['\0asm\u0001\0\0\0\u0001\u0005', 'damaged'],
  ])('that is none, or is cut off, is named: %j', async (text, message) => {
    serve(() => new Response(text, asWasm));
    await expect(compileAsset(URL_OF_IT)).rejects.toBeInstanceOf(DeploymentError);
    await expect(compileAsset(URL_OF_IT)).rejects.toThrow(message);
  });

  test.each([
    'WebAssembly.compile(): Compiling or instantiating WebAssembly module violates the following Content Security policy directive',
    'call to WebAssembly.compile() blocked by CSP',
    "Refused to create a WebAssembly object because 'unsafe-eval' is not allowed in the following Content Security Policy directive",
  ])('that a policy forbids names the directive, as browsers word it: %s', async (words) => {
    serve(() => new Response(EMPTY));
    vi.spyOn(WebAssembly, 'compile').mockRejectedValueOnce(new WebAssembly.CompileError(words));
    await expect(compileAsset(URL_OF_IT)).rejects.toThrow("Add 'wasm-unsafe-eval' to its script-src");
  });

  test('that the browser is too old for asks for a newer one', async () => {
    serve(() => new Response(EMPTY));
    const words = 'WebAssembly.compile(): Wasm SIMD unsupported @+1234';
    vi.spyOn(WebAssembly, 'compile').mockRejectedValueOnce(new WebAssembly.CompileError(words));
    await expect(compileAsset(URL_OF_IT)).rejects.toThrow('Use a newer browser');
  });
});

describe('the cause of a failed load', () => {
  const none = new NoWebGpuError('this page is no secure context; serve it from an https: address');

  test('is the insecure context, not the browser, where there is one', async () => {
    vi.stubGlobal('isSecureContext', false);
    const cause = await deploymentCause(none, undefined);
    expect(cause).toBeInstanceOf(DeploymentError);
    expect(cause).toMatchObject({ message: none.message, cause: none });
  });

  test.each([true, undefined])('is the browser in a secure context, and outside of browsers: %s', async (secure) => {
    vi.stubGlobal('isSecureContext', secure);
    expect(await deploymentCause(none, undefined)).toBe(none);
  });

  test('is a model of the package that is missing', async () => {
    serve(() => new Response('', { status: 404 }));
    expect(await deploymentCause(new DownloadError('HTTP 404'), URL_OF_IT)).toBeInstanceOf(DeploymentError);
  });

  test('is what it was where the file is there, or another failed', async () => {
    serve(() => new Response(EMPTY));
    const broken = new DownloadError('broke off');
    expect(await deploymentCause(broken, URL_OF_IT)).toBe(broken);
    const unsupported = new UnsupportedError('an architecture');
    expect(await deploymentCause(unsupported, URL_OF_IT)).toBe(unsupported);
    expect(await deploymentCause(broken, undefined)).toBe(broken);
  });
});
