// The mock edge with something to look at: `npm run build && npm run mock`, then open what it prints; or
// `TANDEM_EDGE=http://127.0.0.1:8788 npm run dev` to work on the page against it.
import { MockEdge } from "./edge.mjs";
import { furnish, playCalls } from "./scene.mjs";

const edge = furnish(await new MockEdge().listen(Number(process.env.PORT ?? 8788)));
playCalls(edge);
console.log(`dashboard: ${edge.url}`);
