// A list of calls to choose from, by mouse, by touch or with the arrow keys.
import { Link } from "wouter";
import { moveFocus, tabIndexOf } from "../app/roving";
import "./call-list.css";

export type Row = {
  call_id: string;
  href: string;
  title: string;
  /** At the end of the first line: a length, a time. */
  aside: string;
  detail: string;
  text: string;
  live: boolean;
  /** It ended as nobody wanted. */
  failed?: boolean;
};

export function CallList({ rows, selected, label }: { rows: readonly Row[]; selected: string | null; label: string }) {
  const at = rows.findIndex(({ call_id }) => call_id === selected);
  return (
    <ul className="call-list" aria-label={label} onKeyDown={moveFocus}>
      {rows.map((row, index) => (
        <li key={row.call_id}>
          <Link
            href={row.href}
            className="call-row"
            data-item
            tabIndex={tabIndexOf(index, at)}
            aria-current={row.call_id === selected ? "true" : undefined}
          >
            <span className="first">
              {row.live && <span className="pulse" aria-hidden="true" />}
              <span className="title">{row.title}</span>
              <span className="number aside">{row.aside}</span>
            </span>
            <span className={row.failed ? "second failed" : "second"}>{row.detail}</span>
            <span className="third">{row.text || "…"}</span>
          </Link>
        </li>
      ))}
    </ul>
  );
}
