// Uses the reports that test-report.sh made, in Chromium. A check that fails ends the test with a message.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { existsSync } from "node:fs";
import { resolve } from "node:path";

const out = resolve(process.env.REPORT_TEST);
const { chromium } = createRequire(`${out}/`)("playwright-core");
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--no-first-run"],
});
const said = [];

async function open(name, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  page.on("console", (message) => said.push(`${name}: ${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => said.push(`${name}: ${error}`));
  page.on("request", (request) => {
    if (!/^(file|data|blob):/.test(request.url())) said.push(`${name}: asks for ${request.url()}`);
  });
  await page.goto(`file://${out}/${name}/index.html`);
  return page;
}
const shot = (page, name, whole = false) => page.screenshot({ path: `${out}/${name}.png`, fullPage: whole });

async function sorts(page) {
  const head = page.locator("#headline th", { hasText: /^F1$|^B − A$/ }).first();
  const column = await head.evaluate((cell) => cell.cellIndex);
  const keys = () => page.$$eval("#headline tbody tr", (rows, column) => rows.map((row) => Number(row.cells[column].dataset.key)), column);
  const before = await keys();
  await head.locator("button").click();
  assert.equal(await head.getAttribute("aria-sort"), "descending");
  assert.deepEqual(await keys(), [...before].sort((a, b) => b - a), "the greatest first");
  await head.locator("button").click();
  assert.deepEqual(await keys(), [...before].sort((a, b) => a - b), "the least first");
  await head.locator("button").click();
  assert.deepEqual(await keys(), before, "as it was");
}

async function switches(page) {
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const letters = () => page.evaluate(() => getComputedStyle(document.querySelector("svg.figure text")).fill);
  const [light, ink] = [await ground(), await letters()];
  await page.locator("#theme").click();
  assert.notEqual(await ground(), light, "the ground changes");
  assert.notEqual(await letters(), ink, "the figures change with it");
  await page.keyboard.press("d");
  assert.equal(await ground(), light);
}

const counted = async (page) => (await page.locator("#count").textContent()).match(/\d[\d,]*/g).map((text) => Number(text.replaceAll(",", "")));

async function filters(page) {
  const [all, of] = await counted(page);
  assert.ok(all > 0 && all === of, `all are shown: ${all} of ${of}`);
  const level = page.locator("#f-level");
  if (await level.isVisible()) {
    let sum = 0;
    for (const value of (await level.locator("option").evaluateAll((options) => options.map((option) => option.value))).slice(1)) {
      await level.selectOption(value);
      sum += (await counted(page))[0];
      assert.ok((await page.locator("#view .meta").first().textContent()).includes(value));
    }
    assert.equal(sum, all, "the levels part the outputs");
    await level.selectOption("");
  }
  for (const kind of (await page.locator("#f-kind option").evaluateAll((options) => options.map((option) => option.value))).slice(1)) {
    await page.locator("#f-kind").selectOption(kind);
    const [some] = await counted(page);
    assert.ok(some > 0 && some <= all, `${kind}: ${some}`);
  }
  await page.locator("#f-kind").selectOption("");
  await page.locator("#search").fill("no output holds this");
  assert.equal((await counted(page))[0], 0);
  assert.ok(await page.locator("#rows .empty").isVisible());
  await page.locator("#search").fill("");
  assert.equal((await counted(page))[0], all);
}

async function keys(page) {
  await page.locator("#list").click({ position: { x: 20, y: 20 } });
  const title = () => page.locator("#view h3").first().textContent();
  const cell = () => page.locator("#view .meta").first().textContent();
  const first = await title();
  await page.keyboard.press("j");
  assert.notEqual(await title(), first);
  await page.keyboard.press("k");
  assert.equal(await title(), first);
  const before = await cell();
  await page.keyboard.press("]");
  assert.deepEqual([await title(), (await cell()) === before], [first, false], "the same document in another cell");
  await page.keyboard.press("[");
  assert.equal(await cell(), before);
  await page.keyboard.press("/");
  assert.equal(await page.evaluate(() => document.activeElement.id), "search");
  await page.keyboard.type("j");
  assert.equal(await page.locator("#search").inputValue(), "j", "letters are letters in a field");
  await page.locator("#search").fill("");
  await page.keyboard.press("Escape");
  await page.keyboard.press("?");
  assert.ok(await page.locator("#help").isVisible());
  await page.keyboard.press("Escape");
  assert.ok(!(await page.locator("#help").isVisible()));
}

async function steps(page) {
  if ((await page.locator(".trace").count()) === 0) return console.log("no traces to step through");
  const place = () => page.locator(".token").evaluateAll((tokens) => tokens.findIndex((token) => token.getAttribute("aria-pressed") === "true"));
  const told = () => page.locator(".step").first().textContent();
  await page.locator(".token").first().click();
  assert.equal(await place(), 0);
  const first = await told();
  await page.keyboard.press("ArrowRight");
  assert.equal(await place(), 1);
  assert.notEqual(await told(), first);
  await page.keyboard.press("ArrowLeft");
  assert.equal(await told(), first);
  await page.keyboard.press("End");
  assert.equal(await place(), (await page.locator(".token").count()) - 1);
  await page.keyboard.press("Home");
  const text = (await page.locator(".token .word").allTextContents()).join("");
  assert.ok(text.length > 0);
}

async function opensMasked(page) {
  const levels = await page.locator("#f-level option").evaluateAll((options) => options.map((option) => option.value).filter(Boolean));
  const cell = await page.locator("#view .meta").first().textContent();
  if (levels.some((level) => level !== "none")) assert.ok(!cell.split(" · ").includes("none"), `opens on a masked output: ${cell}`);
}

async function showsPrompt(page) {
  const prompt = page.locator("#view .prompt").first();
  if ((await page.locator(".trace").count()) === 0) return console.log("no traces, so no prompts");
  await prompt.locator("summary").click();
  const text = await prompt.locator("pre").first().textContent();
  assert.match(await prompt.locator("summary").textContent(), /^The prompts?, \d+ tokens$/);
  assert.ok(text.includes("Find the named entities in the text."), "the instruction is in the prompt");
  const sentence = await page.locator("#list [aria-selected=true] div").last().textContent();
  assert.ok(text.includes(sentence), "and so is the document");
}

/* Every column and figure can be scrolled to; the names of the lines stay. */
async function scrolls(page, width) {
  const inside = async (locator, what) => {
    const box = await locator.boundingBox();
    assert.ok(box && box.x >= -1 && box.x + box.width <= width + 1, `${what} is in sight: ${JSON.stringify(box)}`);
  };
  assert.ok(await page.locator("#table .swipe").isVisible(), "a hint says that the table scrolls");
  const cells = page.locator("#headline tbody tr").first().locator("td");
  const heads = await page.$$eval("#headline th", (heads) => heads.map((head) => head.textContent.trim()));
  for (const place of [heads.indexOf("F1"), heads.length - 1]) {
    await page.locator("#table .scroll").evaluate((box, place) => {
      const cell = box.querySelector("tbody tr").cells[place], name = box.querySelector("tbody tr").cells[0];
      box.scrollLeft = cell.offsetLeft - name.offsetWidth;
    }, place);
    await inside(cells.nth(place), heads[place]);
    await inside(cells.first(), "the first column");
  }
  const sheet = page.locator("figure .sheet").first();
  assert.ok(await page.locator("figure .swipe").first().isVisible(), "a hint says that the figure scrolls");
  const [seen, whole] = await sheet.evaluate((box) => { box.scrollLeft = box.scrollWidth; return [box.scrollLeft + box.clientWidth, box.scrollWidth]; });
  assert.ok(Math.abs(seen - whole) <= 2 && whole > width, `the figure scrolls to its end: ${seen} of ${whole}`);
}

async function fits(page, name) {
  const [wide, seen] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(wide <= seen, `${name}: the page is ${wide} wide on a screen of ${seen}`);
}

let page = await open("page");
await shot(page, "light");
await opensMasked(page);
await showsPrompt(page);
await sorts(page);
await switches(page);
await filters(page);
await keys(page);
const masked = page.locator("#f-level");
if (await masked.isVisible()) await masked.selectOption({ index: 2 });
await steps(page);
await page.locator("#documents").scrollIntoViewIfNeeded();
await shot(page, "documents");
await shot(page, "whole", true);
await fits(page, "wide");
await page.pdf({ path: `${out}/page.pdf`, format: "A4", printBackground: true });

page = await open("page", { colorScheme: "dark" });
await shot(page, "dark-whole", true);
page = await open("page", { viewport: { width: 400, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true });
await fits(page, "phone");
await scrolls(page, 400);
await shot(page, "phone-whole", true);

page = await open("bare");
await sorts(page);
assert.equal(await page.locator("#browser, #data").count(), 0, "no documents");
if (existsSync(`${out}/compared`)) {
  page = await open("compared");
  await sorts(page);
  await switches(page);
  const all = await counted(page);
  await page.locator("#f-kind").selectOption("");
  assert.ok((await counted(page))[0] >= all[0], "the changed ones are some of all");
  assert.equal(await page.locator("#view .sentence").count() % 2, 0, "both runs are shown");
  await shot(page, "compared-whole", true);
}
await browser.close();
assert.deepEqual(said, [], "nothing is said on the console, and nothing asked of the network");
console.log(`the reports work; screenshots are in ${out}`);
