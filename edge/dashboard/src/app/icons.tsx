// The few drawings the page uses, 20 by 20, in the colour of the text around them.
import type { ReactNode } from "react";

function icon(paths: ReactNode) {
  return function Icon() {
    return (
      <svg className="icon" viewBox="0 0 20 20" width="20" height="20" aria-hidden="true" focusable="false">
        {paths}
      </svg>
    );
  };
}

export const LiveIcon = icon(<path d="M3 10h2.5l2-5 3.5 10 2.2-6.5 1 1.5H17" />);
export const CallsIcon = icon(<path d="M4 5.5h12M4 10h12M4 14.5h7" />);
export const NodesIcon = icon(
  <>
    <rect x="3.5" y="4" width="13" height="5" rx="1.5" />
    <rect x="3.5" y="11" width="13" height="5" rx="1.5" />
    <path d="M6.5 6.5h.01M6.5 13.5h.01" />
  </>,
);
export const AccountIcon = icon(
  <>
    <circle cx="10" cy="7" r="3" />
    <path d="M4.5 16.5c.6-3 2.7-4.5 5.5-4.5s4.9 1.5 5.5 4.5" />
  </>,
);
export const BackIcon = icon(<path d="M12 4.5 6.5 10l5.5 5.5" />);
export const CloseIcon = icon(<path d="m5.5 5.5 9 9m0-9-9 9" />);
export const PlayIcon = icon(<path d="M7 4.8v10.4l8.2-5.2z" />);
export const HangUpIcon = icon(<path d="M2.8 11.6c4.4-3.9 10-3.9 14.4 0l-1.7 2-3-1.2v-2c-1.6-.5-3.4-.5-5 0v2l-3 1.2z" />);
export const CutIcon = icon(<path d="M4 10h5m7 0h-2.5M11.5 5.5l-2 9" />);
