// Chromium through Playwright and Firefox through Puppeteer's WebDriver BiDi, behind one small face.
import { existsSync, mkdtempSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";

/**
 * @typedef {object} Page
 * @property {(expression: string) => Promise<any>} evaluate a JavaScript expression, its promise awaited, its value by JSON
 * @property {() => Promise<void>} ready once the page has set `window.harnessReady`
 * @property {(path: string) => Promise<void>} screenshot writes a PNG
 * @property {(width: number, height: number) => Promise<void>} resize the viewport, in CSS pixels
 * @property {() => Promise<void>} close
 * @property {any} driver Playwright's or Puppeteer's own page, for what one browser alone can do
 *
 * @typedef {{ flags?: string[], dark?: boolean, host?: string }} Options `flags`: more of Chromium's; `dark`: pages prefer dark
 *   colours; `host`: a name that stands for this machine
 *
 * @typedef {object} Browser
 * @property {"chromium" | "firefox"} name
 * @property {string} version
 * @property {(url: string, onConsole?: (line: string) => void) => Promise<Page>} openPage
 * @property {() => Promise<void>} close
 */

/** WebGPU on SwiftShader, so that a machine without a GPU gives the same results as one with; no traffic of its own. */
const CHROMIUM_FLAGS = [
  "--enable-unsafe-webgpu",
  "--use-webgpu-adapter=swiftshader",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
/** With `INGLENOOK_REAL_GPU=1` the browsers use the machine's own GPU. */
const CHROMIUM_GPU_FLAGS = ["--enable-unsafe-webgpu", "--enable-features=Vulkan", "--use-angle=vulkan", "--ignore-gpu-blocklist"];

const FIREFOX_PREFERENCES = {
  "dom.webgpu.enabled": true,
  "gfx.webgpu.ignore-blocklist": true,
  "app.update.enabled": false,
  "datareporting.policy.dataSubmissionEnabled": false,
  "toolkit.telemetry.enabled": false,
};

const useRealGpu = process.env.INGLENOOK_REAL_GPU === "1";

/**
 * Start a browser without a window.
 * @param {"chromium" | "firefox"} name
 * @param {Options} [options]
 * @returns {Promise<Browser>}
 */
export function openBrowser(name, options = {}) {
  return name === "chromium" ? openChromium(options) : openFirefox(options);
}

/**
 * @param {Options} options
 * @returns {Promise<Browser>}
 */
async function openChromium({ flags = [], dark = false, host }) {
  const { chromium } = await import("playwright-core");
  const executablePath = program("CHROMIUM", ["chromium", "chromium-browser", "google-chrome"]);
  const args = [...(useRealGpu ? CHROMIUM_GPU_FLAGS : CHROMIUM_FLAGS), ...flags];
  if (host) args.push(`--host-resolver-rules=MAP ${host} 127.0.0.1`);
  const browser = await chromium.launch({ executablePath, args, chromiumSandbox: false });
  const openPage = async (/** @type {string} */ url, onConsole = ignore) => {
    const page = await browser.newPage({ colorScheme: dark ? "dark" : "light" });
    page.on("console", (message) => onConsole(`${message.type()}: ${message.text()}`));
    page.on("pageerror", (error) => onConsole(`uncaught: ${error.message}`));
    page.on("crash", () => onConsole("crash: the page's process died"));
    await page.goto(url);
    return {
      evaluate: (/** @type {string} */ expression) => page.evaluate(expression),
      ready: async () => void (await page.waitForFunction("window.harnessReady === true")),
      screenshot: async (/** @type {string} */ path) => void (await page.screenshot({ path })),
      resize: (/** @type {number} */ width, /** @type {number} */ height) => page.setViewportSize({ width, height }),
      close: () => page.close(),
      driver: page,
    };
  };
  return { name: "chromium", version: browser.version(), openPage, close: () => browser.close() };
}

/**
 * @param {Options} options
 * @returns {Promise<Browser>}
 */
async function openFirefox({ dark = false, host }) {
  const { default: puppeteer } = await import("puppeteer-core");
  const browser = await puppeteer.launch({
    browser: "firefox",
    executablePath: program("FIREFOX", ["firefox-esr", "firefox"]),
    extraPrefsFirefox: {
      ...FIREFOX_PREFERENCES,
      "layout.css.prefers-color-scheme.content-override": dark ? 0 : 1,
      ...(host && { "network.dns.localDomains": host }),
    },
    env: vulkanEnvironment(),
    // Cases have limits of their own, some longer than Puppeteer's.
    protocolTimeout: 0,
  });
  const openPage = async (/** @type {string} */ url, onConsole = ignore) => {
    const page = await browser.newPage();
    page.on("console", (message) => onConsole(`${message.type()}: ${message.text()}`));
    page.on("pageerror", (error) => onConsole(`uncaught: ${String(error)}`));
    await page.goto(url);
    return {
      evaluate: (/** @type {string} */ expression) => page.evaluate(expression),
      ready: async () => void (await page.waitForFunction("window.harnessReady === true")),
      screenshot: async (/** @type {string} */ path) => void (await page.screenshot({ path: pngPath(path) })),
      resize: (/** @type {number} */ width, /** @type {number} */ height) => page.setViewport({ width, height }),
      close: () => page.close(),
      driver: page,
    };
  };
  return { name: "firefox", version: await browser.version(), openPage, close: () => browser.close() };
}

/**
 * The environment in which a Vulkan program finds lavapipe and complains of nothing.
 * @returns {Record<string, string>}
 */
function vulkanEnvironment() {
  const environment = /** @type {Record<string, string>} */ ({ ...process.env });
  const manifest = useRealGpu ? undefined : lavapipeManifest();
  if (manifest) Object.assign(environment, { VK_ICD_FILENAMES: manifest, VK_DRIVER_FILES: manifest });
  environment.XDG_RUNTIME_DIR ??= mkdtempSync(join(tmpdir(), "xdg-"));
  return environment;
}

function lavapipeManifest() {
  const folder = "/usr/share/vulkan/icd.d";
  const name = existsSync(folder) && readdirSync(folder).find((file) => file.startsWith("lvp_icd"));
  return name ? join(folder, name) : undefined;
}

/** Chromium's own SwiftShader as a Vulkan driver, for programs outside it. */
export function swiftshaderManifest() {
  const folders = ["/usr/lib/chromium", "/usr/lib/chromium-browser", "/opt/google/chrome"];
  return folders.map((folder) => join(folder, "vk_swiftshader_icd.json")).find(existsSync);
}

/**
 * The program that a variable names, or the first of these names on the PATH.
 * @param {string} variable
 * @param {string[]} names
 */
function program(variable, names) {
  const named = process.env[variable];
  if (named) return named;
  const folders = (process.env.PATH ?? "").split(delimiter);
  const found = names.flatMap((name) => folders.map((folder) => join(folder, name))).find(existsSync);
  if (!found) throw new Error(`${names[0]} is missing: run \`cargo xtask setup\`, or name the program in ${variable}`);
  return found;
}

/**
 * Puppeteer wants to see for itself that the path ends in an image's type.
 * @param {string} path
 * @returns {`${string}.png`}
 */
function pngPath(path) {
  if (!path.endsWith(".png")) throw new Error(`a screenshot's name must end in .png, not ${path}`);
  return /** @type {`${string}.png`} */ (path);
}

/** @param {string} _line */
function ignore(_line) {}
