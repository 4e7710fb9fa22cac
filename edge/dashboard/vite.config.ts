// How the page is built, and where `npm run dev` finds an edge to talk to.
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

const edge = process.env["TANDEM_EDGE"] ?? "http://127.0.0.1:8787";

export default defineConfig({
  plugins: [react()],
  build: {
    // The page's policy forbids data: scripts and inline styles: everything is a file with its hash in the name.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: {
    host: "127.0.0.1",
    proxy: { "/v1": { target: edge, ws: true }, "/dev": edge, "/recordings": edge },
  },
  test: { include: ["src/**/*.test.ts"] },
});
