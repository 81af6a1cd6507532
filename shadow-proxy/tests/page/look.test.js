// What a person sees, in light, dark and narrow; axe-core has nothing against any of it.
import assert from "node:assert/strict";
import path from "node:path";
import { after, before, test } from "node:test";
import * as bed from "./bed.js";
import * as scenes from "./scenes.js";

let [wrong, well] = [];
before(async () => {
  wrong = await scenes.wrong();
  scenes.report(wrong, "before-after.html", `<!doctype html><html lang="en"><title>Report</title><style>h1 { color: teal }</style><h1>Before and after</h1></html>`);
  scenes.report(wrong, "before-after.json", `{"ratio": 0.5}`);
  well = await scenes.well();
});
after(bed.end);

const LOOKS = [
  ["light", { colorScheme: "light" }],
  ["dark", { colorScheme: "dark" }],
  ["narrow", { colorScheme: "light", viewport: { width: 360, height: 780 } }],
];

async function pages() {
  const found = await (await fetch(`${wrong.admin}/api/diffs`)).json();
  const of = (part) => found.find((finding) => finding.path.includes(part)).id;
  return [
    ["wrong", wrong.admin, "/"],
    ["well", well.admin, "/"],
    ["findings", wrong.admin, "/findings"],
    ["breach", wrong.admin, `/findings/${of("decision")}`],
    ["body", wrong.admin, `/findings/${of("body.role")}`],
    ["token", wrong.admin, `/findings/${of("(jwt)")}`],
    ["accept", wrong.admin, `/findings/${of("body.role")}/accept`],
    ["no-rule", wrong.admin, `/findings/${of("decision")}/accept`],
    ["journal", wrong.admin, "/journal"],
  ];
}

for (const [look, options] of LOOKS) {
  test(`every page in ${look}`, async () => {
    const opened = await bed.page(options);
    for (const [name, base, where] of await pages()) {
      await opened.goto(base + where);
      if (where === "/") await opened.waitForSelector(".standing.live");
      await opened.screenshot({ path: path.join(bed.shots, `${look}-${name}.png`), fullPage: true });
      assert.deepEqual(await bed.violations(opened), [], `${look} ${name}`);
      const width = await opened.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(width <= (options.viewport?.width ?? 1440), `${name} scrolls sideways: ${width}`);
    }
    await opened.goto(`${well.admin}/`);
    await opened.fill("[name=who]", "Ada");
    await opened.fill("[name=why]", "two weeks in shadow");
    await opened.click("button[value=rollback]");
    await opened.screenshot({ path: path.join(bed.shots, `${look}-confirm.png`), fullPage: true });
    assert.deepEqual(await bed.violations(opened), [], `${look} confirm`);
    assert.deepEqual(opened.errors, []);
    await opened.done();
  });
}

test("a breach and a lockout cannot be overlooked", async () => {
  const opened = await bed.page();
  await opened.goto(`${wrong.admin}/`);
  assert.match(await opened.title(), /^▲ 3 breaches/);
  const alarms = await opened.locator("#alarm .alarm").allInnerTexts();
  assert.match(alarms.join("\n"), /3 breaches.*let in whom legacy refused/);
  assert.match(alarms.join("\n"), /3 lockouts.*refused whom legacy let in/);
  for (const cell of ["breach", "lockout"]) {
    const shown = opened.locator(`.matrix td.${cell}`);
    assert.match(await shown.innerText(), /3/);
    const colour = await shown.evaluate((node) => getComputedStyle(node).backgroundColor);
    assert.equal(colour, "rgb(176, 21, 27)", "a block of red");
    assert.ok((await shown.boundingBox()).y < 600, "on the first screen");
  }
  assert.match(await opened.locator(".verdict .word").innerText(), /No-go/);
  await opened.done();
});

test("state, plan, verdict and coverage are on the first screen", async () => {
  const opened = await bed.page();
  await opened.goto(`${well.admin}/`);
  await opened.waitForSelector(".standing.live");
  const steps = await opened.locator(".steps li b").allInnerTexts();
  assert.deepEqual(steps, ["0 %", "0.1 %", "1 %", "5 %", "25 %", "50 %", "100 %"]);
  assert.equal(await opened.locator(".steps li[aria-current=step] b").innerText(), "0 %");
  assert.match(await opened.locator("#track-title").innerText(), /answers 0 % of the traffic: phase shadow/);
  await bed.until("the coverage", async () => /\d+(\.\d+)? %\s+compared/.test(await opened.locator(".coverage .word").innerText()));
  assert.ok((await opened.locator(".verdict .reasons").innerText()).length > 20);
  for (const part of [".verdict", ".matrix", ".coverage", ".track"]) {
    const box = await opened.locator(part).boundingBox();
    assert.ok(box.y + box.height < 1000, `${part} ends at ${box.y + box.height}`);
  }
  await opened.done();
});

test("the six charts are drawn from numbers that are in their tables", async () => {
  const component = await scenes.well({ component: true });
  const opened = await bed.page();
  await opened.goto(`${component.admin}/`);
  const names = ["requests", "mismatches", "latency", "losses", "memory", "instances"];
  const isMeasured = async () => {
    const rows = await opened.locator("#chart-latency tbody tr").evaluateAll((all) => all.map((row) => [...row.cells].map((cell) => cell.textContent)));
    return rows.filter(([, p50]) => p50 !== "-").length >= 3;
  };
  await bed.until("a line in the chart", isMeasured);
  for (const name of names) {
    const chart = opened.locator(`#chart-${name}`);
    const { drawn, rows } = await chart.evaluate((figure) => ({
      drawn: [...figure.querySelectorAll(".plot path")].map((path) => path.getAttribute("d").split(/[ML]/).length - 1),
      rows: [...figure.querySelectorAll("tbody tr")].map((row) => [...row.cells].slice(1).map((cell) => cell.textContent)),
    }));
    drawn.forEach((points, line) => assert.equal(points, rows.filter((row) => row[line] !== "-").length, `${name} ${line}`));
    assert.ok(drawn.some((points) => points >= 2), `${name} has a line`);
  }
  assert.match(await opened.locator("#chart-memory .readout").innerText(), /component [\d.]+ (kB|MB)/);
  assert.ok((await component.metric("candidate_instances")) >= 1);
  assert.ok((await component.metric("candidate_memory_bytes")) >= 131_072);
  await opened.locator("#charts").screenshot({ path: path.join(bed.shots, "light-charts.png") });
  await opened.done();
  await component.close();
});

test("a finding shows both answers side by side with what differs marked, and a line to copy", async () => {
  const found = await (await fetch(`${wrong.admin}/api/diffs`)).json();
  const of = (part) => found.find((finding) => finding.path.includes(part)).id;
  const opened = await bed.page();
  await opened.goto(`${wrong.admin}/`);
  const order = await opened.locator(".findings .group .severity").allInnerTexts();
  assert.deepEqual(order.map((text) => text.replace(/[^a-z]/gi, "").toLowerCase()), ["breach", "lockout", "high", "low"]);
  await opened.goto(`${wrong.admin}/findings/${of("body.role")}`);
  const [legacy, candidate] = [opened.locator(".answer.legacy").first(), opened.locator(".answer.candidate").first()];
  const [left, right] = [await legacy.boundingBox(), await candidate.boundingBox()];
  assert.ok(left.x + left.width <= right.x && left.y === right.y, "side by side");
  for (const [side, role] of [[legacy, "user"], [candidate, "admin"]]) {
    const marked = await side.locator(".tree li.differs").allInnerTexts();
    assert.ok(marked.some((text) => text.startsWith("role: ") && text.includes(role) && text.includes("≠ differs")), `${marked}`);
    assert.ok(!marked.some((text) => text.startsWith("active")), "what is equal is not marked");
    assert.match(await side.locator(".headers .differs").allInnerTexts().then((all) => all.join(" ")), /cache-control/);
  }
  assert.ok((await legacy.locator(".tree li.differs").allInnerTexts()).some((text) => text.includes("− only legacy")));
  assert.match(await opened.locator("#curl").innerText(), /^curl .*\/users\//);
  await opened.click("[data-copy]");
  assert.match(await opened.locator("[data-copy]").innerText(), /Copied|Selected/);
  await opened.goto(`${wrong.admin}/findings/${of("(jwt)")}`);
  const claims = await opened.locator(".token").first().innerText();
  assert.match(claims, /body\.access_token/);
  assert.match(claims, /claims\.role/);
  assert.match(claims, /lifetime_s/);
  assert.deepEqual(opened.errors, []);
  await opened.done();
});

test("reports are listed, and the newest is shown where it can do nothing", async () => {
  const evil = `<!doctype html><html lang="en"><title>Report</title><style>h1 { color: teal }</style><h1>Newer</h1><script>document.title = "owned"; parent.document.title = "owned"</script></html>`;
  scenes.report(wrong, "newer.html", evil);
  const opened = await bed.page();
  await opened.goto(`${wrong.admin}/`);
  assert.match(await opened.locator("#reports table").innerText(), /newer[^]*before-after\s+JSON/);
  await opened.locator("iframe").scrollIntoViewIfNeeded();
  const frame = opened.frameLocator("iframe");
  assert.equal(await frame.locator("h1").innerText(), "Newer");
  assert.equal(await frame.locator("h1").evaluate((node) => getComputedStyle(node).color), "rgb(0, 128, 128)");
  const [, inner] = opened.frames();
  assert.equal(await inner.title(), "Report", "its script did not run");
  assert.match(opened.errors.join(), /Blocked script execution/);
  const alone = await bed.page();
  await alone.goto(`${wrong.admin}/reports/newer.html`);
  assert.equal(await alone.title(), "Report", "not even when it is opened alone");
  await alone.done();
  await opened.done();
});

test("it is small, and whole without a network", async () => {
  const opened = await bed.page();
  const sizes = new Map();
  opened.on("response", async (answer) => sizes.set(answer.url(), (await answer.body().catch(() => "")).length));
  await opened.goto(`${well.admin}/`);
  await opened.waitForSelector(".standing.live");
  const asked = [...sizes.keys()].map((url) => new URL(url));
  assert.ok(asked.every((url) => url.origin === well.admin), `${asked}`);
  const bytes = [...sizes].filter(([url]) => !url.includes("/events")).reduce((sum, [, size]) => sum + size, 0);
  console.log(`page, style and script: ${bytes} bytes`);
  assert.ok(bytes < 150_000, `${bytes}`);
  await opened.done();
});
