import { defineConfig } from "vite";

// Built into the package that serves it. Nothing is inlined: the page's policy allows files of its own origin only.
export default defineConfig({
  base: "/",
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    outDir: "../api/page",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 1500, // the map library is one file of 1.1 MB, loaded where a map is shown
    target: "es2022",
  },
});
