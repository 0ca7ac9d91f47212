// Looks at the page as a person does, in a real browser. Usage: check.mjs URL TOOLS SCREENSHOTS
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import assert from "node:assert/strict";

const [url, tools, screenshots] = process.argv.slice(2);
const require = createRequire(`${tools}/`);
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const origin = new URL(url).origin;

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
  ],
});

const faults = [];

async function open(name, options, path = "/") {
  const context = await browser.newContext({ locale: "en-GB", timezoneId: "UTC", ...options });
  const page = await context.newPage();
  page.on("request", (request) => {
    if (!request.url().startsWith(origin)) faults.push(`${name}: asked ${request.url()}`);
  });
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) faults.push(`${name}: ${message.text()}`);
  });
  page.on("pageerror", (error) => faults.push(`${name}: ${error}`));
  const answer = await page.goto(url + path);
  assert.equal(answer.status(), 200, name);
  return page;
}

const figure = (page) => page.locator(".figure").first().innerText();
const moment = (page) => page.locator(".moment strong").first().innerText();

// The page in every form in which people meet it: no rule of WCAG is broken, nothing sticks out.
const forms = {
  wide: { viewport: { width: 1280, height: 900 }, colorScheme: "light" },
  narrow: { viewport: { width: 390, height: 844 }, colorScheme: "light" },
  smallest: { viewport: { width: 360, height: 740 }, colorScheme: "light" },
  dark: { viewport: { width: 1280, height: 900 }, colorScheme: "dark" },
};
for (const [name, options] of Object.entries(forms)) {
  // axe is put in by the browser's own means, which the page's policy would rightly forbid.
  const page = await open(name, { ...options, bypassCSP: true });
  await page.evaluate(axe);
  const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
  const found = await page.evaluate((tags) => globalThis.axe.run({ runOnly: tags }), tags);
  for (const one of found.violations) {
    faults.push(`${name}: axe ${one.id}: ${one.nodes.map((node) => node.html).join(" ")}`);
  }
  assert.ok(found.passes.length > 20, `${name}: axe looked at ${found.passes.length} things only`);
  const overflow = await page.evaluate(
    () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
  );
  assert.equal(overflow, 0, `${name}: the page scrolls sideways`);
  await page.screenshot({ path: `${screenshots}/${name}.png`, fullPage: true });
  await page.context().close();
}

// The slider is live: figures, address and the words for a screen reader follow it. Keys work.
{
  const page = await open("slider", forms.wide, "/?as_of=2024-12-09");
  const before = await figure(page);
  await page.locator("#day").focus();
  await page.keyboard.press("ArrowRight");
  await page.waitForFunction(() => location.search.includes("2024-12-10"));
  assert.equal(await moment(page), "10 December 2024");
  assert.notEqual(await figure(page), before, "a decision of that day changes the figures");
  assert.equal(await page.locator("#as_of").inputValue(), "2024-12-10");
  assert.equal(await page.locator("#day").getAttribute("aria-valuetext"), "10 December 2024");
  await page.locator(".milestones a", { hasText: "12 Mar 2025" }).first().click();
  await page.waitForFunction(() => location.search.includes("2025-03-12"));
  assert.equal(await moment(page), "12 March 2025");
  assert.equal(await page.locator(".milestones a[aria-current]").count(), 1);
  await page.locator("summary").click();
  assert.ok(await page.locator("details table").isVisible());
  await page.reload();
  assert.equal(await moment(page), "12 March 2025", "the address holds what was chosen");
  await page.context().close();
}

// Without a script it is an ordinary form.
{
  const page = await open("no script", { ...forms.wide, javaScriptEnabled: false });
  await page.locator("#as_of").fill("2024-12-10");
  await page.locator("button[type=submit]").click();
  assert.equal(await moment(page), "10 December 2024");
  assert.ok(page.url().endsWith("/?as_of=2024-12-10"), page.url());
  await page.locator("#day").focus();
  await page.keyboard.press("ArrowLeft");
  await page.locator("button[type=submit]").click();
  assert.equal(await moment(page), "9 December 2024");
  await page.context().close();
}

// No word of the picture is cut off at its edge.
for (const day of ["2024-10-01", "2025-03-31"]) {
  const page = await open("labels", forms.wide, `/?as_of=${day}`);
  const cut = await page.locator("svg.sankey").evaluate((svg) => {
    const edge = svg.getBoundingClientRect().right + 0.5;
    const beyond = (text) => text.getBoundingClientRect().right > edge;
    return [...svg.querySelectorAll("text")].filter(beyond).map((text) => text.textContent);
  });
  assert.deepEqual(cut, [], `labels beyond the edge on ${day}`);
  await page.context().close();
}

// On paper, nothing is lost but what cannot be pressed there.
{
  const page = await open("paper", forms.wide);
  await page.emulateMedia({ media: "print" });
  assert.ok(!(await page.locator("form.choose").isVisible()));
  assert.ok(await page.locator("svg.sankey").isVisible());
  await page.context().close();
}

await browser.close();
assert.deepEqual(faults, [], "console, policy, network and accessibility");
console.log("the page is well");
