import { once } from "node:events";
import { connect } from "node:net";

/** Without a pause the asking itself would take what the nodes need: two processors are soon full. */
const pauseMs = 1;

/** Asks an Envoy for a Host again and again over one connection; resolves with the time at which it was served first. */
export async function untilServed(port: number, host: string): Promise<number> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  await once(socket, "connect");
  const request = `GET / HTTP/1.1\r\nhost: ${host}\r\n\r\n`;
  let text = "";
  socket.setEncoding("latin1");
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  socket.on("error", reject).on("data", (more: string) => {
    text += more;
    const length = /content-length: (\d+)/i.exec(text)?.[1];
    const end = text.indexOf("\r\n\r\n");
    if (end < 0 || (length !== undefined && text.length < end + 4 + Number(length))) return;
    if (length === undefined && !text.endsWith("0\r\n\r\n")) return;
    if (text.startsWith("HTTP/1.1 200 ")) resolve(performance.now());
    else if (/^HTTP\/1\.1 (404|503) /.test(text)) setTimeout(() => socket.write(request), pauseMs);
    else reject(new Error(`answered with ${text.slice(0, 200)}`));
    text = "";
  });
  socket.write(request);
  try {
    return await promise;
  } finally {
    socket.destroy();
  }
}
