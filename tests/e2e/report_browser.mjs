// Opens a page in headless Chromium over the DevTools pipe and says what happened, as JSON: every request, every word of the console, what
// is seen; and keeps a picture of it in light and in dark, and as it prints.
//
//   node report_browser.mjs FILE FOLDER PROFILE
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [file, folder, profile] = process.argv.slice(2);
const browser = spawn("chromium", ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
  "--disable-extensions", "--disable-background-networking", "--hide-scrollbars", "--remote-debugging-pipe",
  `--user-data-dir=${profile}`, "about:blank"], { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
const [, , , toBrowser, fromBrowser] = browser.stdio;
const answers = new Map(), waiting = new Map(), found = { requests: [], console: [] };
let next = 0, rest = "";

const call = (method, params = {}, sessionId) => new Promise((resolve, reject) => {
  const id = ++next;
  answers.set(id, { resolve, reject });
  toBrowser.write(JSON.stringify({ id, method, params, sessionId }) + "\0");
});
const once = (method) => new Promise((resolve) => waiting.set(method, resolve));

function take(message) {
  const { id, method, params, result, error } = message;
  if (id) {
    const { resolve, reject } = answers.get(id);
    answers.delete(id);
    error ? reject(new Error(error.message)) : resolve(result);
  }
  if (method === "Network.requestWillBeSent") found.requests.push(params.request.url);
  if (method === "Log.entryAdded") found.console.push(params.entry.text);
  if (method === "Runtime.consoleAPICalled") found.console.push(JSON.stringify(params.args));
  if (method === "Runtime.exceptionThrown") found.console.push(params.exceptionDetails.text);
  if (method === "Page.javascriptDialogOpening") found.console.push(`dialog: ${params.message}`);
  waiting.get(method)?.(params);
}

fromBrowser.on("data", (chunk) => {
  const parts = (rest + chunk.toString("utf8")).split("\0");
  rest = parts.pop();
  parts.forEach((part) => take(JSON.parse(part)));
});

async function look(send) {
  for (const domain of ["Network", "Log", "Runtime", "Page"]) await send(`${domain}.enable`);
  await send("Emulation.setDeviceMetricsOverride", { width: 1180, height: 900, deviceScaleFactor: 1, mobile: false });
  const loaded = once("Page.loadEventFired");
  await send("Page.navigate", { url: pathToFileURL(file).href });
  await loaded;
  const seen = await send("Runtime.evaluate", { returnByValue: true, expression: `({
    text: document.body.innerText,
    elements: [...new Set([...document.querySelectorAll("*")].map((e) => e.localName))].sort(),
    styled: getComputedStyle(document.querySelector(".verdict")).fontSize,
    bar: document.querySelectorAll(".bar rect").length,
    plots: [...document.querySelectorAll("figure svg")].map((e) => ({ height: e.getBoundingClientRect().height,
      length: e.querySelector("path.s1").getTotalLength() })),
    wide: document.documentElement.scrollWidth > document.documentElement.clientWidth,
    clipped: [...document.querySelectorAll("body *")].filter((e) => e.getBoundingClientRect().right > innerWidth + 1).length,
  })` });
  Object.assign(found, seen.result.value);
  for (const scheme of ["light", "dark"]) {
    await send("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: scheme }] });
    const colours = await send("Runtime.evaluate", { returnByValue: true,
      expression: `[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]` });
    found[scheme] = colours.result.value;
    const picture = await send("Page.captureScreenshot", { captureBeyondViewport: true });
    writeFileSync(`${folder}/${scheme}.png`, Buffer.from(picture.data, "base64"));
  }
  await send("Emulation.setDeviceMetricsOverride", { width: 390, height: 900, deviceScaleFactor: 1, mobile: false });
  const narrow = await send("Runtime.evaluate", { returnByValue: true,
    expression: `document.documentElement.scrollWidth > document.documentElement.clientWidth` });
  found.narrow_wide = narrow.result.value;
  const picture = await send("Page.captureScreenshot", { captureBeyondViewport: true });
  writeFileSync(`${folder}/narrow.png`, Buffer.from(picture.data, "base64"));
  const printed = await send("Page.printToPDF", { printBackground: false });
  writeFileSync(`${folder}/print.pdf`, Buffer.from(printed.data, "base64"));
}

const { targetInfos } = await call("Target.getTargets");
const { targetId } = targetInfos.find((target) => target.type === "page");
const { sessionId } = await call("Target.attachToTarget", { targetId, flatten: true });
await look((method, params) => call(method, params, sessionId));
process.stdout.write(JSON.stringify(found) + "\n");
await call("Browser.close");
