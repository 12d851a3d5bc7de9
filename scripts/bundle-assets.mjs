// Bundles src/lasair_broker/web/site/assets into static/site: each *.ts and *.css at its top is an entry. Names of
// files have a hash of what is in them, and manifest.json tells which file an entry became.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, extname, join, relative } from "node:path";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { build } from "esbuild";

const SITE = "src/lasair_broker/web/site";
const OUT = join(SITE, "static/site");
const KEEP_FOR_MS = 24 * 3600 * 1000;
const ICONS = "node_modules/bootstrap-icons/icons";

const entries = readdirSync(join(SITE, "assets")).filter((name) => [".ts", ".css"].includes(extname(name)));
// Runs before the page is drawn, so it cannot be a module.
const early = entries.filter((name) => name === "theme.ts");
const modules = entries.filter((name) => name.endsWith(".ts") && !early.includes(name));
const styles = entries.filter((name) => name.endsWith(".css"));

const shared = {
  bundle: true,
  minify: true,
  metafile: true,
  outdir: OUT,
  target: "es2022",
  entryNames: "[name]-[hash]",
  chunkNames: "chunk-[hash]",
  assetNames: "[name]-[hash]",
  loader: { ".svg": "file", ".woff2": "file" },
  legalComments: "linked",
  logLevel: "warning",
  write: false,
};
const at = (names) => names.map((name) => join(SITE, "assets", name));
const built = await Promise.all([
  build({ ...shared, entryPoints: at(modules), format: "esm", splitting: true }),
  build({ ...shared, entryPoints: at(early), format: "iife" }),
  build({ ...shared, entryPoints: at(styles) }),
]);

// The icons that templates and scripts name, as one file of symbols.
const sources = readdirSync("src/lasair_broker/web", { recursive: true })
  .filter((name) => [".html", ".py", ".ts"].includes(extname(name)))
  .map((name) => join("src/lasair_broker/web", name));
const named = new Set();
for (const source of sources) {
  for (const [, name] of readFileSync(source, "utf8").matchAll(/\bicon(?:\(|=|\s)\s*"([a-z0-9-]+)"/g)) named.add(name);
}
const symbol = (name) =>
  readFileSync(join(ICONS, `${name}.svg`), "utf8")
    .replace(/^<svg[^>]*viewBox="([^"]*)"[^>]*>/s, `<symbol id="${name}" viewBox="$1">`)
    .replace(/<\/svg>\s*$/, "</symbol>");
const icons = `<svg xmlns="http://www.w3.org/2000/svg">${[...named].sort().map(symbol).join("")}</svg>`;

const files = built.flatMap((result) => result.outputFiles.map((file) => [relative(OUT, file.path), file.contents]));
const iconsName = `icons-${createHash("sha256").update(icons).digest("hex").slice(0, 8).toUpperCase()}.svg`;
files.push([iconsName, Buffer.from(icons)]);

const manifest = { "icons.svg": iconsName };
for (const result of built) {
  for (const [path, output] of Object.entries(result.metafile.outputs)) {
    if (!output.entryPoint || !output.entryPoint.startsWith(SITE)) continue;
    manifest[basename(output.entryPoint).replace(/\.ts$/, ".js")] = relative(OUT, path);
  }
}
mkdirSync(OUT, { recursive: true });
// A site that runs goes on with the files that it knew when it started.
const kept = new Set(files.map(([name]) => name));
for (const name of readdirSync(OUT)) {
  const age = Date.now() - statSync(join(OUT, name)).mtimeMs;
  if (!kept.has(name.replace(/\.(br|gz)$/, "")) && age > KEEP_FOR_MS) rmSync(join(OUT, name));
}
for (const [name, contents] of files) {
  writeFileSync(join(OUT, name), contents);
  if (contents.length < 1024) continue;
  writeFileSync(join(OUT, `${name}.gz`), gzipSync(contents, { level: 9 }));
  writeFileSync(join(OUT, `${name}.br`), brotliCompressSync(contents));
}
// Last, so that it never names a file that is not there.
writeFileSync(join(OUT, "manifest.json"), JSON.stringify(manifest, null, 1));
