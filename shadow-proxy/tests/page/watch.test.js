// The page while it is watched: it follows, it does not jump, it works with the keyboard and without scripts.
import assert from "node:assert/strict";
import path from "node:path";
import { after, before, test } from "node:test";
import * as bed from "./bed.js";
import * as scenes from "./scenes.js";

let well;
before(async () => {
  well = await scenes.well();
});
after(bed.end);

test("numbers follow the traffic without a reload, and nothing moves", async () => {
  const opened = await bed.page();
  await opened.addInitScript(() => {
    globalThis.shifts = [];
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) {
        globalThis.shifts.push({ value: entry.value, what: entry.sources.map(({ node }) => node?.nodeName + "." + (node?.className?.baseVal ?? node?.className)) });
      }
    }).observe({ type: "layout-shift", buffered: true });
  });
  // Also while it comes over a slow line: its style is there before it is.
  await opened.goto(`${well.admin}/`);
  const network = await opened.context().newCDPSession(opened);
  await network.send("Network.enable");
  const line = (bytesPerSecond) => network.send("Network.emulateNetworkConditions", { offline: false, latency: 0, downloadThroughput: bytesPerSecond, uploadThroughput: bytesPerSecond });
  await line(10_000);
  let loads = 0;
  opened.on("load", () => (loads += 1));
  await opened.goto(`${well.admin}/`);
  await line(-1);
  const received = async () => Number((await opened.locator(".account tr:first-child td").innerText()).replaceAll(",", ""));
  const first = await received();
  await bed.until("ten more numbers", async () => (await received()) > first + 1000);
  const table = opened.locator("#chart-requests tbody tr");
  const rates = async () => (await table.allTextContents()).filter((row) => !row.includes("-")).length;
  const before = await rates();
  await bed.until("two more points in a chart", async () => (await rates()) >= before + 2);
  assert.equal(loads, 1);
  assert.deepEqual(await opened.evaluate(() => globalThis.shifts), []);
  assert.deepEqual(opened.errors, []);
  await opened.done();
});

test("what is open, typed or focused stays so", async () => {
  const opened = await bed.page();
  await opened.goto(`${well.admin}/`);
  await opened.click("#latency-numbers summary");
  await opened.fill("[name=why]", "half a sen");
  await opened.locator("#chart-latency .plot").focus();
  const shown = await opened.locator("#standing").innerText();
  const table = () => opened.locator("#chart-latency tbody").innerText();
  const before = await table();
  await bed.until("newer numbers", async () => (await table()) !== before && (await opened.locator("#standing").innerText()) !== shown);
  assert.ok(await opened.locator("#latency-numbers").evaluate((details) => details.open));
  assert.equal(await opened.inputValue("[name=why]"), "half a sen");
  assert.equal(await opened.evaluate(() => document.activeElement.closest("figure")?.id), "chart-latency");
  await opened.done();
});

test("a list under the pointer keeps its order until it is left", async () => {
  const wrong = await scenes.wrong({ flips: false });
  const opened = await bed.page();
  await opened.goto(`${wrong.admin}/`);
  await opened.waitForSelector(".standing.live");
  const keys = () => opened.locator("#findings [data-key]").evaluateAll((all) => all.map((row) => row.dataset.key).join());
  const before = await keys();
  await opened.hover("#findings .box");
  await fetch(`${wrong.listen}/auth/revoked`).then((answer) => answer.arrayBuffer());
  await opened.waitForSelector("#findings .newer");
  assert.equal(await keys(), before);
  await opened.waitForSelector("#alarm .breach");
  await opened.click("#findings .newer");
  assert.notEqual(await keys(), before);
  assert.match(await opened.locator("#findings .group").first().innerText(), /breach/i);
  assert.equal(await opened.locator("#findings .newer").count(), 0, "nothing waits any more");
  await opened.done();
  await wrong.close();
});

test("charts tell their numbers to the pointer and to the keyboard", async () => {
  const opened = await bed.page();
  await opened.goto(`${well.admin}/`);
  const chart = opened.locator("#chart-requests");
  const row = async (index) => chart.locator("tbody tr").nth(index).evaluate((node) => [...node.cells].map((cell) => cell.textContent));
  await bed.until("a number in the last but one row", async () => (await row(58))[1] !== "-");
  const box = await chart.locator(".plot").boundingBox();
  const left = box.x + (54 / 380) * box.width;
  const width = ((380 - 54 - 8) / 380) * box.width;
  await opened.mouse.move(left + (width * 58) / 59, box.y + 20);
  const readout = async () => [await chart.locator("[data-when]").innerText(), ...(await chart.locator("[data-of]").allInnerTexts())];
  await bed.until("the numbers of the row", async () => {
    const [shown, wanted] = [await readout(), await row(58)];
    return JSON.stringify(shown) === JSON.stringify(wanted);
  });
  await opened.mouse.move(5, 5);
  await bed.until("the present again", async () => (await readout())[0] === "now");
  await chart.locator(".plot").focus();
  await opened.keyboard.press("End");
  await opened.keyboard.press("ArrowLeft");
  await bed.until("the row before the last", async () => (await readout())[0] === (await row(58))[0]);
  assert.match(await opened.locator("#said").innerText(), /\d\d:\d\d:\d\d.*legacy .*\/s.*candidate .*\/s/);
  await chart.screenshot({ path: path.join(bed.shots, "light-cursor.png") });
  await opened.keyboard.press("Escape");
  assert.equal((await readout())[0], "now");
  await opened.done();
});

test("everything is reached with the keyboard, and the focus is seen", async () => {
  const opened = await bed.page();
  await opened.goto(`${well.admin}/`);
  await opened.keyboard.press("Tab");
  assert.equal(await opened.evaluate(() => document.activeElement.className), "skip");
  await opened.keyboard.press("Enter");
  assert.equal(await opened.evaluate(() => document.activeElement.id), "main");
  const wanted = new Set(["plot", "box", "who", "why", "advance", "rollback", "summary"]);
  for (let pressed = 0; pressed < 120 && wanted.size > 0; pressed += 1) {
    await opened.keyboard.press("Tab");
    const { names, outline } = await opened.evaluate(() => {
      const node = document.activeElement;
      const names = [node.name, node.value, node.localName, ...(node.className?.baseVal ?? node.className).split(" ")];
      return { names, outline: getComputedStyle(node).outlineStyle };
    });
    names.forEach((name) => wanted.delete(name));
    assert.equal(outline, "solid", `${names}`);
  }
  assert.deepEqual([...wanted], []);
  await opened.done();
});

test("a connection that is lost is said, and comes back", async () => {
  const first = await scenes.well();
  const opened = await bed.page();
  await opened.goto(`${first.admin}/`);
  await opened.waitForSelector(".standing.live");
  await first.end();
  const standing = opened.locator("#standing");
  await bed.until("the loss to be said", async () => /^not live since \d\d:\d\d:\d\d UTC$/.test(await standing.innerText()));
  assert.ok(await standing.evaluate((node) => node.classList.contains("lost")));
  const again = await first.again();
  await opened.waitForSelector(".standing.live");
  await opened.done();
  await again.end();
  await first.close();
});

test("without scripts it is the same page, which reloads itself", async () => {
  const opened = await bed.page({ javaScriptEnabled: false });
  await opened.goto(`${well.admin}/`);
  assert.equal(await opened.locator("noscript meta[http-equiv=refresh]").getAttribute("content"), "30");
  assert.equal(await opened.locator("#standing").innerText(), "reloads every 30 s");
  for (const part of [".verdict .word", ".matrix", ".track", "#chart-requests .plot path", "#findings .box", "#shift form", "#journal .box"]) {
    assert.ok(await opened.locator(part).first().isVisible(), part);
  }
  await opened.click("#requests-numbers summary");
  assert.ok(await opened.locator("#requests-numbers table").isVisible());
  await opened.screenshot({ path: path.join(bed.shots, "light-no-script.png") });
  await opened.fill("[name=who]", "Ada");
  await opened.fill("[name=why]", "a test");
  await opened.click("button[value=hold]");
  assert.match(await opened.locator(".effect").innerText(), /refused/);
  assert.match(await opened.locator("main").innerText(), /advance starts/);
  await opened.done();
});
