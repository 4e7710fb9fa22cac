// Arrow keys within a list of links: one of them is in the tab order, up and down, Home and End move between them.
import { type KeyboardEvent, useEffect } from "react";

export function moveFocus(event: KeyboardEvent<HTMLElement>) {
  const items = [...event.currentTarget.querySelectorAll<HTMLElement>("[data-item]")];
  const at = items.indexOf(document.activeElement as HTMLElement);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[event.key];
  if (to === undefined || at < 0) return;
  event.preventDefault();
  items[Math.max(0, Math.min(items.length - 1, to))]?.focus();
}

/** The item that Tab reaches: the selected one, else the first. */
export function tabIndexOf(index: number, selected: number): 0 | -1 {
  return index === Math.max(0, selected) ? 0 : -1;
}

/** Escape closes what is open, unless a dialog or a field wants it first. */
export function useEscape(close: (() => void) | null) {
  useEffect(() => {
    if (!close) return undefined;
    const onKey = (event: globalThis.KeyboardEvent) => {
      if (event.key !== "Escape" || event.defaultPrevented || document.querySelector("dialog[open]")) return;
      if (event.target instanceof HTMLInputElement || event.target instanceof HTMLTextAreaElement) return;
      close();
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [close]);
}
