// Signs requests as engines and admins do: `edge_protocol::signature`, in JavaScript.
// Which secret signs what is the caller's.
import { createHmac } from "node:crypto";

let lastStamp = 0;

/** Headers of a signed request. `body` is text or bytes; for GET and DELETE the path with its query. */
export function signed(secret, body, timestamp = (lastStamp = Math.max(lastStamp + 1, Date.now()))) {
  const mac = createHmac("sha256", secret).update(`${timestamp}.`).update(body).digest("hex");
  return { "x-tandem-timestamp": String(timestamp), "x-tandem-signature": `v1=${mac}` };
}
