// Bundle the console's script and style, and the portal's style and its one script: `node build.mjs OUT`. Called by scripts/assets.py, never by hand.
import { build } from "esbuild";

const [out] = process.argv.slice(2);
const { warnings } = await build({
  entryPoints: ["src/console.ts", "src/console.css", "src/portal.ts", "src/portal.css"],
  outdir: out,
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2022",
  charset: "utf8",
  legalComments: "inline",
  loader: { ".svg": "copy" },
  logLevel: "warning",
});
if (warnings.length > 0) {
  process.exit(1); // a style sheet with a brace too few is built all the same, and is another one
}
