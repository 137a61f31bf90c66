import { defineConfig } from "vite";
import { compress } from "./compress.ts";

export default defineConfig({
  base: "/dashboard/",
  plugins: [compress()],
  build: {
    // Where the server's build script looks for it.
    outDir: "../crates/server/assets/dashboard",
    // Not all that is there is ours.
    emptyOutDir: false,
    // Within a page nothing runs that is not a file of ours: no data URL, no inline script.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2023",
    reportCompressedSize: false,
  },
});
