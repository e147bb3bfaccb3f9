// Copies the few third-party files that the pages use from node_modules into static/vendor, licences included.
import { copyFileSync, mkdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const files = {
  "htmx.js": "htmx.org/dist/htmx.min.js",
  "hx-sse.js": "htmx.org/dist/ext/hx-sse.min.js",
  "htmx.LICENSE": "htmx.org/LICENSE",
  "pico.css": "@picocss/pico/css/pico.min.css",
  "pico.LICENSE": "@picocss/pico/LICENSE.md",
};

const vendor = join(here, "static", "vendor");
rmSync(vendor, { recursive: true, force: true });
mkdirSync(vendor, { recursive: true });
for (const [name, source] of Object.entries(files)) {
  copyFileSync(join(here, "node_modules", source), join(vendor, name));
}
