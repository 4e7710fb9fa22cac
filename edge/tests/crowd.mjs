// Thousands of dashboards in a process of their own, cheap enough that what is measured is the edge: plain sockets that
// look for bytes instead of reading messages. Run as a program it is that process; the class is for tests.
import { fork } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { fileURLToPath } from "node:url";

const file = fileURLToPath(import.meta.url);
const now = () => performance.timeOrigin + performance.now();
/** More than a marker has, bytes: one may be cut in two. */
const OVERLAP = 200;

export class Crowd {
  /** Opens so many sockets on the live feed; resolves when each has its snapshot. */
  static async gather(url, token, count) {
    const crowd = new Crowd();
    crowd.child = fork(file, [url, token, String(count)]);
    crowd.child.unref();
    await crowd.#next();
    return crowd;
  }

  /** When each of them had the bytes of `marker`, ms since the Unix epoch, earliest first. */
  hears(marker) {
    const heard = this.#next();
    this.child.send(marker);
    return heard;
  }

  async leave() {
    const gone = once(this.child, "exit");
    this.child.kill();
    await gone;
  }

  async #next() {
    const said = await Promise.race([once(this.child, "message"), once(this.child, "exit")]);
    if (!Array.isArray(said[0])) throw new Error(`the crowd is gone: ${said}`);
    return said[0];
  }
}

/** What this process' children have used of the CPU, ms: the crowd and the rest, which is workerd. */
export function cpuMs() {
  const spent = { edge: 0, crowd: 0 };
  for (const pid of readFileSync(`/proc/self/task/${process.pid}/children`, "utf8").trim().split(" ")) {
    // After the name in brackets: state is the third field, utime and stime the 14th and 15th, in hundredths.
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
    const whose = readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(file) ? "crowd" : "edge";
    spent[whose] += (Number(fields[11]) + Number(fields[12])) * 10;
  }
  return spent;
}

/** One dashboard: `look` is shown what comes, with the end of what came before. */
function open(url, token, look) {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname);
    let kept = Buffer.alloc(0);
    socket.on("connect", () => socket.write([
      "GET /v1/live HTTP/1.1", `Host: ${hostname}:${port}`, "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
      `Sec-WebSocket-Key: ${randomBytes(16).toString("base64")}`, `Sec-WebSocket-Protocol: tandem.v1, token.${token}`, "", "",
    ].join("\r\n")));
    socket.on("data", (chunk) => {
      const seen = kept.length > 0 ? Buffer.concat([kept, chunk]) : chunk;
      kept = seen.subarray(-OVERLAP);
      look(seen, resolve);
    });
    socket.on("error", reject);
    socket.on("close", () => reject(new Error(`closed after ${kept}`)));
  });
}

async function run(url, token, count) {
  let marker, heard = [];
  const listen = () => {
    // Each tells of a marker once.
    let told, welcome = false;
    return (seen, resolve) => {
      if (!welcome && seen.includes('"type":"snapshot"')) resolve((welcome = true));
      if (marker && told !== marker && seen.includes(marker)) {
        told = marker;
        heard.push(now());
        if (heard.length === count) process.send(heard);
      }
    };
  };
  process.on("disconnect", () => process.exit());
  process.on("message", (text) => {
    [marker, heard] = [text, []];
  });
  // One after the other: in workerd on its own, an object never sleeps again while sockets are open that were upgraded at
  // the same time (also one of a few lines of JavaScript).
  for (let at = 0; at < count; at++) await open(url, token, listen());
  process.send([]);
}

if (process.argv[1] === file) await run(process.argv[2], process.argv[3], Number(process.argv[4]));
