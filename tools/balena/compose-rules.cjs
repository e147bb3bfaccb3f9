// Applies balena's own compose rules (@balena/compose-parser) to a composition.
//
// The parser leaves reading YAML to a Go program that is not in its npm package. The composition comes in as that
// program would print it, long form, on standard input; everything after that is balena's own code. It prints the
// composition as balena will see it, or ends with 1 and the rule that was broken.
const childProcess = require("node:child_process");
const { readFileSync } = require("node:fs");
const { promisify } = require("node:util");

const composition = readFileSync(0, "utf8");
const answer = async () => ({ stdout: composition, stderr: "" });
childProcess.execFile = Object.assign(answer, { [promisify.custom]: answer });

require("@balena/compose-parser")
  .parse(process.argv[2])
  .then((seen) => process.stdout.write(JSON.stringify(seen)))
  .catch((error) => {
    process.stderr.write(`${error.name}: ${error.message}\n`);
    process.exitCode = 1;
  });
