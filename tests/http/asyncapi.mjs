// Holds an AsyncAPI document against the parser of the AsyncAPI initiative: node asyncapi.mjs PARSER FILE
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const [parser, file] = process.argv.slice(2);
const { Parser } = createRequire(import.meta.url)(parser);
const { document, diagnostics } = await new Parser().parse(readFileSync(file, "utf8"));
const ERROR = 0;
const errors = diagnostics.filter((one) => one.severity === ERROR);
errors.slice(0, 20).forEach((one) => console.log(one.path.join("/"), one.message));
process.exitCode = document !== undefined && errors.length === 0 ? 0 : 1;
