// Starts the page.
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app/App";
import { Edge, EdgeContext } from "./app/context";
import "./app/theme.css";

const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <EdgeContext value={new Edge()}>
        <App />
      </EdgeContext>
    </StrictMode>,
  );
}
