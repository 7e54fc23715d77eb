import { createServer } from "node:net";

// Below the ports that systems take for connections that go out, and above those that documents name: between the
// moment that a port is found free and the moment that it is taken nobody gets it by chance.
const [lowest, many] = [20_000, 10_000];

/** Each process begins somewhere else: test files that run beside each other do not find the same ones. */
let next = (process.pid * 97) % many;

/** Ports of this machine that are free now; none is given twice by one process before all were. */
export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  while (ports.length < count) {
    const port = lowest + next;
    next = (next + 1) % many;
    if (await isFree(port)) ports.push(port);
  }
  return ports;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer().once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
