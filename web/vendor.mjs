// Puts the few third-party files that the pages use into static/vendor, licences included.
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { compile } from "sass";

const here = dirname(fileURLToPath(import.meta.url));
const files = {
  "htmx.js": "htmx.org/dist/htmx.min.js",
  "hx-sse.js": "htmx.org/dist/ext/hx-sse.min.js",
  "htmx.LICENSE": "htmx.org/LICENSE",
  "pico.LICENSE": "@picocss/pico/LICENSE.md",
  "uplot.js": "uplot/dist/uPlot.iife.min.js",
  "uplot.css": "uplot/dist/uPlot.min.css",
  "uplot.LICENSE": "uplot/LICENSE",
};

const vendor = join(here, "static", "vendor");
rmSync(vendor, { recursive: true, force: true });
mkdirSync(vendor, { recursive: true });
for (const [name, source] of Object.entries(files)) {
  copyFileSync(join(here, "node_modules", source), join(vendor, name));
}
const pico = compile(join(here, "pico.scss"), { style: "compressed", quietDeps: true, logger: { warn() {}, debug() {} } });
writeFileSync(join(vendor, "pico.css"), pico.css);
