// Decisions from the page: what is stated is what is done.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { after, test } from "node:test";
import * as bed from "./bed.js";
import * as scenes from "./scenes.js";

after(bed.end);

async function ask(opened, base, verb, why) {
  await opened.goto(`${base}/`);
  await opened.fill("[name=who]", "Ada");
  await opened.fill("[name=why]", why);
  await opened.click(`button[value=${verb}]`);
}

test("advance, hold, resume and roll back say what they will do, and do it", async () => {
  const well = await scenes.well();
  const opened = await bed.page();
  const effect = opened.locator(".effect");
  const present = async () => well.status();
  // What is missing is said, with how long it takes.
  await opened.goto(`${well.admin}/`);
  const reasons = opened.locator(".verdict .reasons");
  const said = new Set();
  await bed.until("the verdict to be go", async () => {
    said.add((await reasons.innerText()).split("\n")[0]);
    return /Go$/.test(await opened.locator(".verdict .word").innerText());
  });
  assert.ok([...said].some((text) => /needs [\d,]+ more clean requests/.test(text)), [...said].join("\n"));
  await opened.screenshot({ path: path.join(bed.shots, "light-go.png"), fullPage: true });

  await ask(opened, well.admin, "advance", "two weeks in shadow");
  assert.match(await effect.innerText(), /share goes from 0 % to 0\.1 %: of [\d,]+ requests a minute it will answer .* instead of 0\. Phase shadow → ramp/);
  assert.equal((await present()).weight_ppm, 0, "nothing happens before it is confirmed");
  assert.ok(await opened.locator("table.tests").isVisible(), "with the numbers it is decided by");
  await opened.screenshot({ path: path.join(bed.shots, "light-advance.png"), fullPage: true });
  await opened.click("text=Yes, advance");
  assert.match(await opened.locator(".notice").innerText(), /in the journal as #1/);
  assert.deepEqual([(await present()).weight_ppm, (await present()).phase], [1000, "ramp"]);
  assert.equal(await opened.locator(".steps li[aria-current=step] b").innerText(), "0.1 %");

  await ask(opened, well.admin, "hold", "lunch");
  assert.match(await effect.innerText(), /stays at 0\.1 %\. Phase ramp → held/);
  await opened.click("text=Yes, hold");
  assert.equal((await present()).phase, "held");
  await ask(opened, well.admin, "resume", "lunch is over");
  await opened.click("text=Yes, resume");
  assert.equal((await present()).phase, "ramp");

  await ask(opened, well.admin, "rollback", "because I can");
  assert.match(await effect.innerText(), /from 0\.1 % to 0 %: of [\d,]+ requests a minute it will answer 0 instead of /);
  await opened.click("text=Yes, roll back");
  assert.deepEqual([(await present()).weight_ppm, (await present()).phase], [0, "rolled-back"]);
  const timeline = await opened.locator("#journal .timeline > li").allInnerTexts();
  assert.equal(timeline.length, 4);
  for (const [index, words] of [[0, /roll back: 0\.1 % → 0 %, rolled-back[^]*#4 .*UTC by Ada[^]*because I can/], [3, /advance: 0 % → 0\.1 %, ramp[^]*two weeks in shadow/]]) {
    assert.match(timeline[index], words);
  }
  await opened.locator("#journal .timeline > li").last().locator("summary").click();
  assert.match(await opened.locator("#journal .timeline > li").last().innerText(), /mismatches before the next step[^]*pairs/);
  await opened.screenshot({ path: path.join(bed.shots, "light-decided.png"), fullPage: true });
  assert.deepEqual(await bed.violations(opened), []);
  assert.deepEqual(opened.errors, []);
  await opened.done();
  await well.close();
});

test("a command without a reason, or that is refused, or that is too late, does nothing", async () => {
  const wrong = await scenes.wrong();
  const opened = await bed.page();
  await opened.goto(`${wrong.admin}/`);
  await opened.fill("[name=who]", "Ada");
  await opened.click("button[value=rollback]");
  assert.equal(await opened.evaluate(() => document.activeElement.name), "why", "the browser asks for it");
  await opened.fill("[name=why]", "   ");
  await opened.click("button[value=rollback]");
  assert.match(await opened.locator("main").innerText(), /give both/);
  await ask(opened, wrong.admin, "advance", "let us try");
  assert.match(await opened.locator("main").innerText(), /this is refused[^]*breaches/);
  assert.equal(await opened.locator("text=Yes, advance").count(), 0);
  // Somebody else decides between the question and the answer.
  await ask(opened, wrong.admin, "rollback", "to be sure");
  await wrong.post("rollback", { who: "Bob", why: "I was first" });
  await opened.click("text=Yes, roll back");
  assert.match(await opened.locator("main").innerText(), /changed since you asked[^]*taken back already/);
  assert.equal((await wrong.status()).shift.epoch, 1);
  await opened.done();
  await wrong.close();
});

test("a finding is accepted by the rule that was shown, and that rule is in force", async () => {
  const wrong = await scenes.wrong();
  const read = async () => (await fetch(`${wrong.admin}/api/diffs`)).json();
  const finding = (await read()).find((one) => one.path === "body.role");
  const opened = await bed.page();
  await opened.goto(`${wrong.admin}/findings/${finding.id}`);
  await opened.click("text=Accept as an expected change");
  assert.match(await opened.locator(".effect").innerText(), /explained 1 finding, seen in 20 exchanges of 20/);
  const shown = await opened.locator("pre").innerText();
  for (const line of [`endpoint = "GET /users/*"`, `path = "body.role"`, `explains = ["value"]`, `finding = ${finding.id}`]) assert.ok(shown.includes(line), shown);
  assert.equal((await read()).find((one) => one.id === finding.id).rule, null, "nothing is written yet");
  await opened.fill("[name=who]", "Ada");
  await opened.fill("[name=why]", "roles are renamed");
  await opened.click("text=Write the rule");
  await opened.waitForURL(`**/findings/${finding.id}`);
  const written = readFileSync(path.join(wrong.data, "rules.toml"), "utf8");
  const said = shown.replace("(why it does not matter)", "roles are renamed").replace("(who you are)", "Ada").trim();
  assert.ok(written.includes(said), `${written}\n---\n${said}`);
  await fetch(`${wrong.listen}/users/77`).then((answer) => answer.arrayBuffer());
  const rule = `accepted:${finding.id}`;
  await bed.until("the rule to explain", async () => (await read()).some((one) => one.path === "body.role" && one.rule === rule && one.count >= 21));
  await opened.reload();
  assert.match(await opened.locator(".facts").innerText(), new RegExp(`explained, by rule ${rule}`));
  assert.equal(await opened.locator("text=Accept as an expected change").count(), 0);

  const gone = (await read()).find((one) => one.path === "body.email");
  await opened.goto(`${wrong.admin}/findings/${gone.id}/accept`);
  assert.match(await opened.locator(".effect").innerText(), /breaks clients/);
  await opened.click("text=It is meant");
  assert.match(await opened.locator("pre").innerText(), /explains = \["missing"\]/);
  const breach = (await read()).find((one) => one.severity === "breach");
  await opened.goto(`${wrong.admin}/findings/${breach.id}/accept`);
  assert.match(await opened.locator(".effect").innerText(), /no rule for this: a decision that flips/);
  assert.equal(await opened.locator("main form").count(), 0);
  assert.deepEqual(opened.errors, []);
  await opened.done();
  await wrong.close();
});
